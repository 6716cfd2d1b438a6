/** Routing rules as netlink messages (linux/fib_rules.h): struct fib_rule_hdr and FRA_* attributes. IPv4 only. */
import { AF_INET } from '../libc.ts';
import { AttributeTable } from '../netlink/attribute-table.ts';
import type { MessageWriter } from '../netlink/message-writer.ts';
import {
  type Message,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  NLM_F_REQUEST,
  requireStruct,
} from '../netlink/netlink.ts';
import type { Rule, UdpPorts } from './objects.ts';
import type { KernelOperation } from './operation.ts';

/** Message type of a rule that was added. */
export const RTM_NEWRULE = 32;
/** Message type of a rule that was removed. */
export const RTM_DELRULE = 33;
const RTM_GETRULE = 34;

const HEADER_BYTES = 12;
/** Look up the table of the rule. */
const FR_ACT_TO_TBL = 1;
const IPPROTO_UDP = 17;

const FRA_IIFNAME = 3;
const FRA_PRIORITY = 6;
const FRA_FWMARK = 10;
const FRA_TABLE = 15;
const FRA_OIFNAME = 17;
const FRA_PROTOCOL = 21;
const FRA_IP_PROTO = 22;
const FRA_SPORT_RANGE = 23;
const FRA_DPORT_RANGE = 24;

type RuleOperation = Extract<KernelOperation, { do: 'rule-add' | 'rule-delete' }>;

/** Writes one message that adds or deletes a rule. A rule that is there already is refused with EEXIST. */
export function writeRule(writer: MessageWriter, { do: verb, priority, table, protocol, udp }: RuleOperation): void {
  if (verb === 'rule-add') writer.begin(RTM_NEWRULE, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL);
  else writer.begin(RTM_DELRULE, NLM_F_REQUEST);
  writer.u8(AF_INET);
  writer.u8(0);
  writer.u16(0);
  // The number of the table, which may need 32 bits, is an attribute.
  writer.u32(FR_ACT_TO_TBL << 24);
  writer.u32(0);
  writer.attributeU32(FRA_PRIORITY, priority);
  writer.attributeU32(FRA_TABLE, table);
  writer.attributeU8(FRA_PROTOCOL, protocol);
  writer.attributeU8(FRA_IP_PROTO, IPPROTO_UDP);
  if (udp.from !== undefined) writePort(writer, FRA_SPORT_RANGE, udp.from);
  if (udp.to !== undefined) writePort(writer, FRA_DPORT_RANGE, udp.to);
  writer.end();
}

/** struct fib_rule_port_range: first and last port, in host byte order. */
function writePort(writer: MessageWriter, type: number, port: number): void {
  writer.attributeU32(type, port | (port << 16));
}

/** Writes a request for all IPv4 rules. */
export function writeRuleDump(writer: MessageWriter): void {
  writer.begin(RTM_GETRULE, NLM_F_REQUEST | NLM_F_DUMP);
  writer.u32(AF_INET);
  writer.u32(0);
  writer.u32(0);
  writer.end();
}

const attributes = new AttributeTable(FRA_DPORT_RANGE);

/**
 * Reads a rule from a message of the kernel.
 * @returns undefined for rules of other families than IPv4
 * @throws MESH_KERNEL_MALFORMED
 */
export function readRule(message: Message): Rule | undefined {
  requireStruct(message, HEADER_BYTES);
  const { bytes, start, end } = message;
  if (bytes.readUInt8(start) !== AF_INET) return undefined;
  attributes.parse(bytes, start + HEADER_BYTES, end);
  const udp = readPorts(bytes.readUInt16LE(start + 1) !== 0);
  return {
    priority: attributes.u32(FRA_PRIORITY),
    table: attributes.has(FRA_TABLE) ? attributes.u32(FRA_TABLE) : bytes.readUInt8(start + 4),
    protocol: attributes.u8(FRA_PROTOCOL),
    ...(udp !== undefined && { udp }),
  };
}

/** The UDP ports that the rule is for; undefined when the rule asks for anything else, too. */
function readPorts(hasSubnet: boolean): UdpPorts | undefined {
  const others = [FRA_IIFNAME, FRA_OIFNAME, FRA_FWMARK].some((type) => attributes.has(type));
  if (hasSubnet || others || attributes.u8(FRA_IP_PROTO) !== IPPROTO_UDP) return undefined;
  const [from, to] = [readPort(FRA_SPORT_RANGE), readPort(FRA_DPORT_RANGE)];
  return { ...(from !== undefined && { from }), ...(to !== undefined && { to }) };
}

function readPort(type: number): number | undefined {
  return attributes.has(type) ? attributes.u32(type) & 0xffff : undefined;
}
