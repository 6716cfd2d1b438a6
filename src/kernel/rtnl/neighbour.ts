/**
 * Neighbour entries as netlink messages (linux/neighbour.h): struct ndmsg and NDA_* attributes, families AF_INET and
 * AF_INET6.
 */

import { addressFamily, type Ip, isIpv6 } from '../ip.ts';
import { AF_INET, AF_INET6 } from '../libc.ts';
import { AttributeTable } from '../netlink/attribute-table.ts';
import type { MessageWriter } from '../netlink/message-writer.ts';
import {
  type Message,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_REPLACE,
  NLM_F_REQUEST,
  requireStruct,
} from '../netlink/netlink.ts';
import type { Neighbour } from './objects.ts';
import type { KernelOperation } from './operation.ts';

/** Message type of a neighbour or FDB entry that was added or changed (linux/rtnetlink.h). */
export const RTM_NEWNEIGH = 28;
/** Message type of a neighbour or FDB entry that was removed. */
export const RTM_DELNEIGH = 29;
/** Message type of a request for neighbour or FDB entries. */
export const RTM_GETNEIGH = 30;

/** struct ndmsg, before the attributes. */
export const NDMSG_BYTES = 12;
/** State: confirmed recently (linux/neighbour.h, as all NUD_*, NTF_* and NDA_*). */
export const NUD_REACHABLE = 0x02;
/** State: never resolved nor aged. */
export const NUD_NOARP = 0x40;
/** State: set by hand, never resolved nor aged. */
export const NUD_PERMANENT = 0x80;
/** Flag: a control plane made the entry; our mark. */
export const NTF_EXT_LEARNED = 0x10;

/** Attribute: the IP address of a neighbour, or the remote VTEP of an FDB entry. */
export const NDA_DST = 1;
/** Attribute: the MAC address. */
export const NDA_LLADDR = 2;
const NDA_PROTOCOL = 12;

/** NUD_* bits and their names; the kernel sets one at a time. */
const STATES = [
  [NUD_PERMANENT, 'permanent'],
  [NUD_NOARP, 'noarp'],
  [NUD_REACHABLE, 'reachable'],
  [0x04, 'stale'],
  [0x08, 'delay'],
  [0x10, 'probe'],
  [0x20, 'failed'],
  [0x01, 'incomplete'],
] as const satisfies readonly (readonly [number, Neighbour['state']])[];

type NeighbourOperation = Extract<KernelOperation, { do: 'neighbour-replace' | 'neighbour-delete' }>;

/** Writes one message that replaces or deletes a neighbour entry. */
export function writeNeighbour(writer: MessageWriter, operation: NeighbourOperation): void {
  const { address, link } = operation;
  if (operation.do === 'neighbour-delete') {
    writer.begin(RTM_DELNEIGH, NLM_F_REQUEST);
    writeNeighbourHeader(writer, addressFamily(address), link, 0, 0);
    writer.attributeIp(NDA_DST, address);
  } else {
    writer.begin(RTM_NEWNEIGH, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE);
    writeNeighbourHeader(writer, addressFamily(address), link, NUD_PERMANENT, NTF_EXT_LEARNED);
    writer.attributeIp(NDA_DST, address);
    writer.attributeMac(NDA_LLADDR, operation.mac);
    writer.attributeU8(NDA_PROTOCOL, operation.protocol);
  }
  writer.end();
}

/** Writes a request for all neighbour entries of both families. */
export function writeNeighbourDump(writer: MessageWriter): void {
  writer.begin(RTM_GETNEIGH, NLM_F_REQUEST | NLM_F_DUMP);
  writeNeighbourHeader(writer, 0, undefined, 0, 0);
  writer.end();
}

/** Writes a request for the neighbour entry of `address` on `link`. */
export function writeNeighbourGet(writer: MessageWriter, link: string, address: Ip): void {
  writer.begin(RTM_GETNEIGH, NLM_F_REQUEST);
  writeNeighbourHeader(writer, addressFamily(address), link, 0, 0);
  writer.attributeIp(NDA_DST, address);
  writer.end();
}

/**
 * Writes struct ndmsg: family, padding, index, state, flags, type.
 * @param link name of the link; without it, index 0 (all links)
 */
export function writeNeighbourHeader(
  writer: MessageWriter,
  family: number,
  link: string | undefined,
  state: number,
  flags: number,
): void {
  writer.u32(family);
  if (link === undefined) writer.u32(0);
  else writer.linkIndex(link);
  writer.u16(state);
  writer.u8(flags);
  writer.u8(0);
}

/**
 * The address family of a neighbour message: AF_BRIDGE means an FDB entry.
 * @throws MESH_KERNEL_MALFORMED
 */
export function neighbourFamily(message: Message): number {
  requireStruct(message, NDMSG_BYTES);
  return message.bytes.readUInt8(message.start);
}

const attributes = new AttributeTable(NDA_PROTOCOL);

/**
 * Reads a neighbour entry from a message of the kernel.
 * @returns undefined for families other than IP
 * @throws MESH_KERNEL_MALFORMED
 */
export function readNeighbour(message: Message): Neighbour | undefined {
  const family = neighbourFamily(message);
  if (family !== AF_INET && family !== AF_INET6) return undefined;
  const { bytes, start, end } = message;
  attributes.parse(bytes, start + NDMSG_BYTES, end);
  const address = attributes.ip(NDA_DST);
  if (address === undefined) return undefined;
  const mac = attributes.mac(NDA_LLADDR);
  const state = bytes.readUInt16LE(start + 8);
  return {
    family: isIpv6(address) ? 6 : 4,
    link: bytes.readUInt32LE(start + 4),
    address,
    ...(mac !== undefined && { mac }),
    state: STATES.find(([bit]) => (state & bit) !== 0)?.[1] ?? 'none',
    externLearn: (bytes.readUInt8(start + 10) & NTF_EXT_LEARNED) !== 0,
    protocol: attributes.u8(NDA_PROTOCOL),
  };
}
