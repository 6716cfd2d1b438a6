/** Ethernet frames that a guest may make up, and the sending of them. */
import { netnsPath } from '../../src/kernel/netns.ts';
import { ETHERTYPE, encodeEthernet, IP_PROTOCOL } from '../../src/kernel/sockets/ethernet.ts';
import { FrameSocket } from '../../src/kernel/sockets/frame-socket.ts';
import { type Ipv6, ipv6ToBytes, parseIpv6 } from '../../src/model/address/ipv6.ts';
import { type Mac, macToBytes, parseMac } from '../../src/model/address/mac.ts';
import { inside } from './namespaces.ts';

/** Types of Ethernet frames with a VLAN tag. */
export const TAG = { customer: 0x8100, service: 0x88a8, old: 0x9100 } as const;
/** The address to which all IPv6 nodes of a link listen. */
export const ALL_NODES: readonly [Mac, Ipv6] = [parseMac('33:33:00:00:00:01'), parseIpv6('ff02::1')];
const UNSPECIFIED = parseIpv6('::');

/** The next headers of IPv6 (IANA numbers). */
export const NEXT = { hopByHop: 0, fragment: 44, destination: 60, none: 59 } as const;

/** The addresses of an IPv6 frame. */
export interface Ends {
  readonly from: Mac;
  readonly to: Mac;
  readonly source: Ipv6;
  readonly destination: Ipv6;
}

/** An IPv6 frame (RFC 8200 §3) with a hop limit of 255. */
export function ipv6Frame({ from, to, source, destination }: Ends, next: number, payload: Uint8Array): Buffer {
  const header = Buffer.alloc(40);
  header.writeUInt8(0x60, 0);
  header.writeUInt16BE(payload.length, 4);
  header.set([next, 255], 6);
  header.set(ipv6ToBytes(source), 8);
  header.set(ipv6ToBytes(destination), 24);
  return encodeEthernet({ from, to, type: ETHERTYPE.ipv6 }, Buffer.concat([header, payload]));
}

/** An extension header with a padding option of `bytes` in all, a multiple of 8 (RFC 8200 §4.2). */
export function padding(next: number, bytes = 8): Buffer {
  const header = Buffer.alloc(bytes);
  header.set([next, bytes / 8 - 1, 1, bytes - 4]);
  return header;
}

/** A fragment header (RFC 8200 §4.5). @param offset in bytes */
export function fragment(next: number, offset: number, more: boolean): Buffer {
  const header = Buffer.alloc(8);
  header.set([next, 0]);
  header.writeUInt16BE(offset | Number(more), 2);
  header.writeUInt32BE(7, 4);
  return header;
}

/** An ICMPv6 message with its checksum. */
export function icmpv6(
  { source, destination }: Pick<Ends, 'source' | 'destination'>,
  type: number,
  body: Uint8Array,
): Buffer {
  const message = Buffer.concat([Buffer.from([type, 0, 0, 0]), body]);
  message.writeUInt16BE(pseudoChecksum({ source, destination }, IP_PROTOCOL.icmpv6, message), 2);
  return message;
}

/** A router advertisement without options (RFC 4861 §4.2). */
export function advertisement(ends: Ends): Buffer {
  return icmpv6(ends, 134, Buffer.from([64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0]));
}

/** A neighbour advertisement: `target` is at `mac` (RFC 4861 §4.4). Solicited is not set, Override is. */
export function neighbourAdvertisement(ends: Ends, target: Ipv6, mac: Mac): Buffer {
  return icmpv6(ends, 136, Buffer.concat([Buffer.from([0x20, 0, 0, 0]), ipv6ToBytes(target), option(2, mac)]));
}

/** A neighbour solicitation for `target` from `ends.source` at `mac` (RFC 4861 §4.3). */
export function solicitation(ends: Ends, target: Ipv6, mac: Mac): Buffer {
  const source = ends.source === UNSPECIFIED ? Buffer.alloc(0) : option(1, mac);
  return icmpv6(ends, 135, Buffer.concat([Buffer.alloc(4), ipv6ToBytes(target), source]));
}

function option(type: number, mac: Mac): Buffer {
  return Buffer.concat([Buffer.from([type, 1]), macToBytes(mac)]);
}

/** A TCP segment that asks for a connection (RFC 9293 §3.1). */
export function tcpSyn(
  { source, destination }: Pick<Ends, 'source' | 'destination'>,
  fromPort: number,
  toPort: number,
): Buffer {
  const segment = Buffer.alloc(20);
  segment.writeUInt16BE(fromPort, 0);
  segment.writeUInt16BE(toPort, 2);
  segment.writeUInt32BE(1, 4);
  segment.set([0x50, 2, 0xff, 0xff], 12);
  segment.writeUInt16BE(pseudoChecksum({ source, destination }, IP_PROTOCOL.tcp, segment), 16);
  return segment;
}

/** A TCP header without options and data. @param flags as in RFC 9293 §3.1: 0x10 is ACK, 0x02 is SYN */
export function tcp(flags: number): Buffer {
  const header = Buffer.alloc(20);
  header.writeUInt16BE(5000, 0);
  header.writeUInt16BE(22, 2);
  header.set([0x50, flags], 12);
  return header;
}

/** A UDP datagram without a checksum. */
export function udp(fromPort: number, toPort: number, body: Uint8Array): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt16BE(fromPort, 0);
  header.writeUInt16BE(toPort, 2);
  header.writeUInt16BE(8 + body.length, 4);
  return Buffer.concat([header, body]);
}

/** An IPv4 frame (RFC 791 §3.1). @param offset of a fragment, in bytes */
export function ipv4Frame(
  { from, to }: Pick<Ends, 'from' | 'to'>,
  addresses: { readonly source: readonly number[]; readonly destination: readonly number[] },
  protocol: number,
  payload: Uint8Array,
  { offset = 0, more = false } = {},
): Buffer {
  const header = Buffer.alloc(20);
  header.set([0x45, 0]);
  header.writeUInt16BE(20 + payload.length, 2);
  header.writeUInt16BE(7, 4);
  header.writeUInt16BE((Number(more) << 13) | (offset / 8), 6);
  header.set([64, protocol], 8);
  header.set(addresses.source, 12);
  header.set(addresses.destination, 16);
  header.writeUInt16BE(checksum(header), 10);
  return encodeEthernet({ from, to, type: ETHERTYPE.ipv4 }, Buffer.concat([header, payload]));
}

/** The frame with a VLAN tag after its addresses; several calls make a stack of tags. */
export function tagged(frame: Buffer, type: number, vlan: number): Buffer {
  const tag = Buffer.alloc(4);
  tag.writeUInt16BE(type, 0);
  tag.writeUInt16BE(vlan, 2);
  return Buffer.concat([frame.subarray(0, 12), tag, frame.subarray(12)]);
}

/** An 802.3 frame: the length in the place of the type, then LLC. `42 42 03` begins a BPDU (IEEE 802.1D §7.12.3). */
export function llcFrame({ from, to }: Pick<Ends, 'from' | 'to'>, llc: readonly number[]): Buffer {
  return encodeEthernet({ from, to, type: llc.length }, Buffer.from(llc));
}

/** The checksum with the pseudo-header of IPv6 (RFC 8200 §8.1). */
function pseudoChecksum(
  { source, destination }: Pick<Ends, 'source' | 'destination'>,
  next: number,
  payload: Uint8Array,
): number {
  const length = Buffer.alloc(8);
  length.writeUInt32BE(payload.length, 0);
  length.writeUInt8(next, 7);
  return checksum(Buffer.concat([ipv6ToBytes(source), ipv6ToBytes(destination), length, payload]));
}

function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** A socket for frames on a device in a namespace, by its path or its name. */
export function framesOn(netns: string, device: string, onFrame?: (bytes: Buffer) => void): FrameSocket & Disposable {
  const path = netns.startsWith('/') ? netns : netnsPath(netns);
  const link = Number(/^(\d+):/.exec(inside(path, 'ip', '-oneline', 'link', 'show', 'dev', device))?.[1]);
  const socket = FrameSocket.open({
    link,
    filter: [{ take: onFrame !== undefined }],
    netns: path,
    onFrame: ({ bytes }) => onFrame?.(bytes),
    onError: (error) => {
      throw error;
    },
  });
  return Object.assign(socket, { [Symbol.dispose]: () => socket.close() });
}
