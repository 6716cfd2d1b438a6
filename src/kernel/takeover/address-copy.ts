/** An address of a link, put on another link with its lifetimes, its label and its metric (linux/if_addr.h). */
import { type Ip, ipFromBytes } from '../ip.ts';
import { AF_INET, AF_INET6 } from '../libc.ts';
import type { Message } from '../netlink/netlink.ts';
import {
  attributeOf,
  type CopiedMessage,
  copyMessage,
  numberOf,
  u32,
  withAttributes,
  wordIn,
  zeroEnded,
} from './copied-message.ts';

const IFADDRMSG_BYTES = 8;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_LABEL = 3;
const IFA_CACHEINFO = 6;
const IFA_FLAGS = 8;
const IFA_TARGET_NETNSID = 10;

const IFA_F_NODAD = 0x02;
const IFA_F_HOMEADDRESS = 0x10;
const IFA_F_DADFAILED = 0x08;
const IFA_F_TENTATIVE = 0x40;
const IFA_F_MANAGETEMPADDR = 0x100;
const IFA_F_NOPREFIXROUTE = 0x200;
const IFA_F_MCAUTOJOIN = 0x400;
/** What a program may ask for; the kernel finds the other flags itself. */
const KEPT_FLAGS = IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR | IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN;
const LABEL_MAX = 15;
const RT_SCOPE_LINK = 253;
const FOREVER = 0xffffffff;

/** An address as the kernel told it. */
export interface AddressCopy {
  readonly family: 4 | 6;
  readonly link: number;
  readonly address: Ip;
  readonly length: number;
  /** `fe80::…`: the kernel makes it of the MAC of a link. */
  readonly linkLocal: boolean;
  /** The seconds that it is valid for; undefined for ever. */
  readonly validSec?: number;
  readonly message: CopiedMessage;
}

/** Copies an address. @returns undefined for families other than IP. @throws MESH_KERNEL_MALFORMED */
export function copyAddress(message: Message): AddressCopy | undefined {
  const copy = copyMessage(message, IFADDRMSG_BYTES);
  const family = copy.struct.readUInt8(0);
  if (family !== AF_INET && family !== AF_INET6) return undefined;
  const address = ipFromBytes(attributeOf(copy, IFA_LOCAL) ?? attributeOf(copy, IFA_ADDRESS) ?? Buffer.alloc(0));
  if (address === undefined) return undefined;
  const lifetimes = attributeOf(copy, IFA_CACHEINFO);
  const validSec = lifetimes !== undefined && lifetimes.length >= 8 ? lifetimes.readUInt32LE(4) : FOREVER;
  return {
    family: family === AF_INET ? 4 : 6,
    link: copy.struct.readUInt32LE(4),
    address,
    length: copy.struct.readUInt8(1),
    linkLocal: family === AF_INET6 && copy.struct.readUInt8(3) === RT_SCOPE_LINK,
    ...(validSec !== FOREVER && { validSec }),
    message: copy,
  };
}

/**
 * The message that puts the address on another link. An IPv6 address that was usable is usable at once: its owner does not change, so
 * nobody needs to be asked.
 * @param prefixRoute whether the kernel has a route to its prefix by the link that it was on
 */
export function addressOn(
  { message, family }: AddressCopy,
  from: string,
  to: { readonly name: string; readonly index: number },
  prefixRoute: boolean,
): CopiedMessage {
  const flags = numberOf(message, IFA_FLAGS);
  const usable = (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) === 0;
  const wanted =
    (flags & KEPT_FLAGS) |
    (family === 6 && usable ? IFA_F_NODAD : 0) |
    (family === 6 && !prefixRoute ? IFA_F_NOPREFIXROUTE : 0);
  const label = wordIn(message, IFA_LABEL);
  const copy = withAttributes(
    message,
    new Map([
      [IFA_FLAGS, u32(wanted)],
      [IFA_LABEL, family === 4 ? zeroEnded(labelOn(label, from, to.name)) : undefined],
      [IFA_TARGET_NETNSID, undefined],
    ]),
  );
  copy.struct.writeUInt8(0, 2);
  copy.struct.writeUInt32LE(to.index, 4);
  return copy;
}

/** The message that removes the address. Without its label: the kernel writes another one when it renames the link. */
export function addressGone({ message }: AddressCopy): CopiedMessage {
  return withAttributes(message, new Map([[IFA_LABEL, undefined]]));
}

/** The label of an address on another link: `eth0:1` becomes `br0:1`. */
function labelOn(label: string, from: string, to: string): string {
  if (label !== from && !label.startsWith(`${from}:`)) return to;
  const renamed = to + label.slice(from.length);
  return renamed.length > LABEL_MAX ? to : renamed;
}
