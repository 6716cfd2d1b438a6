/** Routes as netlink messages (linux/rtnetlink.h): struct rtmsg and RTA_* attributes. */

import { addressFamily, type Ip, parseInterface } from '../ip.ts';
import { AF_INET, AF_INET6 } from '../libc.ts';
import { AttributeTable } from '../netlink/attribute-table.ts';
import type { MessageWriter } from '../netlink/message-writer.ts';
import {
  type Message,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  NLM_F_REQUEST,
  requireStruct,
} from '../netlink/netlink.ts';
import type { Route } from './objects.ts';
import type { KernelOperation } from './operation.ts';

/** Message type of a route that was added or changed (linux/rtnetlink.h). */
export const RTM_NEWROUTE = 24;
/** Message type of a route that was removed. */
export const RTM_DELROUTE = 25;
const RTM_GETROUTE = 26;

const RTMSG_BYTES = 12;
/** The main routing table. */
export const RT_TABLE_MAIN = 254;
const RT_SCOPE_UNIVERSE = 0;
const RT_SCOPE_LINK = 253;
const RT_SCOPE_NOWHERE = 255;
const RTN_UNICAST = 1;
const RTN_BLACKHOLE = 6;
const RTM_F_LOOKUP_TABLE = 0x1000;
/** A route that the kernel cached for one destination; not a configured one. */
const RTM_F_CLONED = 0x200;

const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_PREFSRC = 7;
const RTA_TABLE = 15;
const RTA_VIA = 18;
const RTA_IP_PROTO = 27;
const RTA_DPORT = 29;
const IPPROTO_UDP = 17;

type RouteOperation = Extract<KernelOperation, { do: 'route-replace' | 'route-delete' }>;

/**
 * Writes one message that replaces or deletes a route.
 * @throws MESH_ADDRESS_INVALID for a destination that cannot be parsed
 */
export function writeRoute(writer: MessageWriter, route: RouteOperation): void {
  const { address, length } = parseInterface(route.destination);
  const family = addressFamily(address);
  const replace = route.do === 'route-replace';
  if (replace) writer.begin(RTM_NEWROUTE, NLM_F_REQUEST | NLM_F_CREATE | (route.onlyNew ? NLM_F_EXCL : NLM_F_REPLACE));
  else writer.begin(RTM_DELROUTE, NLM_F_REQUEST);
  writer.u8(family);
  writer.u8(length);
  writer.u16(0);
  const { table = RT_TABLE_MAIN } = route;
  writer.u8(headerTable(table));
  writer.u8(route.protocol);
  // IPv4 needs the scope LINK for a destination without gateway. A delete with scope NOWHERE matches any scope.
  const isLocal = family === AF_INET && route.gateway === undefined && !route.blackhole;
  const scope = isLocal ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  writer.u8(replace ? scope : RT_SCOPE_NOWHERE);
  writer.u8(!replace ? 0 : route.blackhole ? RTN_BLACKHOLE : RTN_UNICAST);
  writer.u32(0);
  if (length > 0) writer.attributeIp(RTA_DST, address);
  if (route.gateway !== undefined) writer.attributeIp(RTA_GATEWAY, route.gateway);
  if (route.link !== undefined) writer.attributeLink(RTA_OIF, route.link);
  if (route.metric !== undefined) writer.attributeU32(RTA_PRIORITY, route.metric);
  if (table !== headerTable(table)) writer.attributeU32(RTA_TABLE, table);
  writer.end();
}

/** The number of a table as the header of a message has it: numbers above 255 are an attribute, and 0 here. */
function headerTable(table: number): number {
  return table > 255 ? 0 : table;
}

/** Writes a request for one table of one family; with strict checking the kernel sends only that table. */
export function writeRouteDump(
  writer: MessageWriter,
  family: typeof AF_INET | typeof AF_INET6,
  table = RT_TABLE_MAIN,
): void {
  writer.begin(RTM_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP);
  writer.u32(family);
  writer.u32(headerTable(table));
  writer.u32(0);
  if (table !== headerTable(table)) writer.attributeU32(RTA_TABLE, table);
  writer.end();
}

/**
 * Writes a request for the route that a packet to `destination` would take.
 * @param udpPort the UDP port that the packet goes to; rules may be for it
 */
export function writeRouteTo(writer: MessageWriter, destination: Ip, udpPort?: number): void {
  const family = addressFamily(destination);
  writer.begin(RTM_GETROUTE, NLM_F_REQUEST);
  writer.u8(family);
  writer.u8(family === AF_INET ? 32 : 128);
  writer.u16(0);
  writer.u32(0);
  // IPv6 always reports the table, and refuses this flag.
  writer.u32(family === AF_INET ? RTM_F_LOOKUP_TABLE : 0);
  writer.attributeIp(RTA_DST, destination);
  if (udpPort !== undefined) {
    writer.attributeU8(RTA_IP_PROTO, IPPROTO_UDP);
    writer.attributePort(RTA_DPORT, udpPort);
  }
  writer.end();
}

const attributes = new AttributeTable(RTA_VIA);

/**
 * Reads a route from a message of the kernel.
 * @param cached whether to read cached routes, too
 * @returns undefined for families other than IP, and for cached routes unless `cached`
 * @throws MESH_KERNEL_MALFORMED
 */
export function readRoute(message: Message, cached = false): Route | undefined {
  requireStruct(message, RTMSG_BYTES);
  const { bytes, start, end } = message;
  const family = bytes.readUInt8(start);
  if (family !== AF_INET && family !== AF_INET6) return undefined;
  if (!cached && (bytes.readUInt32LE(start + 8) & RTM_F_CLONED) !== 0) return undefined;
  attributes.parse(bytes, start + RTMSG_BYTES, end);
  // struct rtvia: a 2-byte family before an address of the other family.
  const gateway = attributes.ip(RTA_GATEWAY) ?? attributes.ip(RTA_VIA, 2);
  const source = attributes.ip(RTA_PREFSRC);
  const anywhere = family === AF_INET ? '0.0.0.0' : '::';
  return {
    family: family === AF_INET ? 4 : 6,
    destination: `${attributes.ip(RTA_DST) ?? anywhere}/${bytes.readUInt8(start + 1)}`,
    ...(gateway !== undefined && { gateway }),
    ...(attributes.has(RTA_OIF) && { link: attributes.u32(RTA_OIF) }),
    ...(source !== undefined && { source }),
    table: attributes.has(RTA_TABLE) ? attributes.u32(RTA_TABLE) : bytes.readUInt8(start + 4),
    protocol: bytes.readUInt8(start + 5),
    scope: bytes.readUInt8(start + 6),
    metric: attributes.u32(RTA_PRIORITY),
    ...((message.flags & NLM_F_REPLACE) !== 0 && { replaces: true as const }),
  };
}
