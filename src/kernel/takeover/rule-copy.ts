/** A routing rule that names a link (`ip rule add iif eth0 …`), made one that names another (linux/fib_rules.h). */
import { AF_INET, AF_INET6 } from '../libc.ts';
import type { Message } from '../netlink/netlink.ts';
import { type CopiedMessage, copyMessage, withAttributes, wordIn, zeroEnded } from './copied-message.ts';

const RULE_BYTES = 12;
const FRA_IIFNAME = 3;
const FRA_OIFNAME = 17;
/** The flag of `not`; the others are the kernel's. */
const FIB_RULE_INVERT = 2;

/** A rule as the kernel told it. */
export interface RuleCopy {
  readonly family: 4 | 6;
  /** The links that it names. */
  readonly names: readonly string[];
  readonly message: CopiedMessage;
}

/** Copies a rule that names a link. @returns undefined for any other. @throws MESH_KERNEL_MALFORMED */
export function copyRule(message: Message): RuleCopy | undefined {
  const copy = copyMessage(message, RULE_BYTES);
  const family = copy.struct.readUInt8(0);
  if (family !== AF_INET && family !== AF_INET6) return undefined;
  const names = [FRA_IIFNAME, FRA_OIFNAME].map((type) => wordIn(copy, type)).filter((name) => name !== '');
  return names.length === 0 ? undefined : { family: family === AF_INET ? 4 : 6, names, message: copy };
}

/** The message of the rule, with the name of another link. */
export function ruleFor({ message }: RuleCopy, from: string, to: string): CopiedMessage {
  const values = [FRA_IIFNAME, FRA_OIFNAME]
    .map((type) => [type, wordIn(message, type)] as const)
    .filter(([, name]) => name !== '')
    .map(([type, name]) => [type, zeroEnded(name === from ? to : name)] as const);
  const copy = withAttributes(message, new Map(values));
  copy.struct.writeUInt32LE(copy.struct.readUInt32LE(8) & FIB_RULE_INVERT, 8);
  return copy;
}
