/** FDB entries as netlink messages: neighbours of family AF_BRIDGE (drivers/net/vxlan, net/bridge/br_fdb.c). */
import type { Mac } from '../../model/address/mac.ts';
import { AF_BRIDGE } from '../libc.ts';
import { AttributeTable } from '../netlink/attribute-table.ts';
import type { MessageWriter } from '../netlink/message-writer.ts';
import {
  type Message,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_REPLACE,
  NLM_F_REQUEST,
} from '../netlink/netlink.ts';
import {
  NDA_DST,
  NDA_LLADDR,
  NDMSG_BYTES,
  NTF_EXT_LEARNED,
  NUD_NOARP,
  NUD_PERMANENT,
  NUD_REACHABLE,
  neighbourFamily,
  RTM_DELNEIGH,
  RTM_GETNEIGH,
  RTM_NEWNEIGH,
  writeNeighbourHeader,
} from './neighbour.ts';
import type { FdbEntry } from './objects.ts';
import type { KernelOperation } from './operation.ts';

const NTF_SELF = 0x02;
const NTF_MASTER = 0x04;
const NTF_STICKY = 0x40;
const NDA_VLAN = 5;
const NDA_PORT = 6;
const NDA_VNI = 7;
const NDA_IFINDEX = 8;

type FdbOperation = Extract<KernelOperation, { do: 'fdb-replace' | 'fdb-append' | 'fdb-delete' }>;

const REQUEST: Readonly<Record<FdbOperation['do'], readonly [type: number, flags: number]>> = {
  'fdb-replace': [RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE],
  'fdb-append': [RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_APPEND],
  'fdb-delete': [RTM_DELNEIGH, 0],
};

/** A VXLAN device refuses NOARP without REACHABLE; `bridge fdb add … static` sends both as well. */
const STATE: Readonly<Record<FdbEntry['state'], number>> = {
  permanent: NUD_PERMANENT,
  static: NUD_NOARP | NUD_REACHABLE,
  dynamic: NUD_REACHABLE,
};

const TABLE: Readonly<Record<FdbEntry['table'], number>> = { self: NTF_SELF, master: NTF_MASTER };

/** Writes one message that replaces, appends or deletes an FDB entry. */
export function writeFdb(writer: MessageWriter, entry: FdbOperation): void {
  const [type, flags] = REQUEST[entry.do];
  writer.begin(type, NLM_F_REQUEST | flags);
  const marks = (entry.externLearn ? NTF_EXT_LEARNED : 0) | (entry.sticky === true ? NTF_STICKY : 0);
  writeNeighbourHeader(writer, AF_BRIDGE, entry.link, STATE[entry.state], TABLE[entry.table] | marks);
  writer.attributeMac(NDA_LLADDR, entry.mac);
  if (entry.remoteVtep !== undefined) writer.attributeIp(NDA_DST, entry.remoteVtep);
  if (entry.udpPort !== undefined) writer.attributePort(NDA_PORT, entry.udpPort);
  writer.end();
}

/** Writes a request for the FDB entries of all links. */
export function writeFdbDump(writer: MessageWriter): void {
  writer.begin(RTM_GETNEIGH, NLM_F_REQUEST | NLM_F_DUMP);
  writeNeighbourHeader(writer, AF_BRIDGE, undefined, 0, 0);
  writer.end();
}

/**
 * Writes a request for the entry of `mac` in the VXLAN device's own table (`self`), or in its bridge's table
 * (`master`).
 */
export function writeFdbGet(writer: MessageWriter, table: FdbEntry['table'], link: string, mac: Mac): void {
  writer.begin(RTM_GETNEIGH, NLM_F_REQUEST);
  writeNeighbourHeader(writer, AF_BRIDGE, link, 0, TABLE[table]);
  writer.attributeMac(NDA_LLADDR, mac);
  writer.end();
}

const attributes = new AttributeTable(NDA_IFINDEX);

/**
 * Reads an FDB entry from a message of the kernel.
 * @returns undefined for other families, for entries of a VLAN, and for the MAC addresses that an ordinary link listens
 *   to: the kernel reports those as `self` entries too, but only the entries of a VXLAN device have a remote VTEP
 * @throws MESH_KERNEL_MALFORMED
 */
export function readFdbEntry(message: Message): FdbEntry | undefined {
  if (neighbourFamily(message) !== AF_BRIDGE) return undefined;
  const { bytes, start, end } = message;
  attributes.parse(bytes, start + NDMSG_BYTES, end);
  const mac = attributes.mac(NDA_LLADDR);
  const remoteVtep = attributes.ip(NDA_DST);
  const state = bytes.readUInt16LE(start + 8);
  const flags = bytes.readUInt8(start + 10);
  const self = (flags & NTF_SELF) !== 0;
  if (mac === undefined || attributes.has(NDA_VLAN) || (self && remoteVtep === undefined)) return undefined;
  return {
    table: self ? 'self' : 'master',
    link: bytes.readUInt32LE(start + 4),
    mac,
    ...(remoteVtep !== undefined && { remoteVtep }),
    state: (state & NUD_PERMANENT) !== 0 ? 'permanent' : (state & NUD_NOARP) !== 0 ? 'static' : 'dynamic',
    externLearn: (flags & NTF_EXT_LEARNED) !== 0,
    sticky: (flags & NTF_STICKY) !== 0,
    ...(attributes.has(NDA_PORT) && self && { udpPort: attributes.port(NDA_PORT) }),
    ...([NDA_VNI, NDA_IFINDEX].some((type) => attributes.has(type)) && self && { detour: true as const }),
  };
}
