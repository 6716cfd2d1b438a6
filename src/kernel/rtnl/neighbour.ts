/** Neighbours as netlink messages (linux/neighbour.h): struct ndmsg and NDA_* attributes, families AF_INET and AF_INET6. */

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

export const RTM_NEWNEIGH = 28;
export const RTM_DELNEIGH = 29;
export const RTM_GETNEIGH = 30;

export const NDMSG_BYTES = 12;
export const NUD_REACHABLE = 0x02;
export const NUD_NOARP = 0x40;
export const NUD_PERMANENT = 0x80;
export const NTF_EXT_LEARNED = 0x10;

export const NDA_DST = 1;
export const NDA_LLADDR = 2;
const NDA_PROTOCOL = 12;

/** NUD_* by bit; the kernel sets one at a time. */
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

/** All neighbours of both families. */
export function writeNeighbourDump(writer: MessageWriter): void {
  writer.begin(RTM_GETNEIGH, NLM_F_REQUEST | NLM_F_DUMP);
  writeNeighbourHeader(writer, 0, undefined, 0, 0);
  writer.end();
}

export function writeNeighbourGet(writer: MessageWriter, link: string, address: Ip): void {
  writer.begin(RTM_GETNEIGH, NLM_F_REQUEST);
  writeNeighbourHeader(writer, addressFamily(address), link, 0, 0);
  writer.attributeIp(NDA_DST, address);
  writer.end();
}

/** struct ndmsg: family, padding, index, state, flags, type. */
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

/** The address family of a neighbour message: AF_BRIDGE is an entry of a forwarding table. */
export function neighbourFamily(message: Message): number {
  requireStruct(message, NDMSG_BYTES);
  return message.bytes.readUInt8(message.start);
}

const attributes = new AttributeTable(NDA_PROTOCOL);

/**
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
