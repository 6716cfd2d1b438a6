/**
 * Filters for captures, in tcpdump's words, joined by «and»: `icmp6`, `tcp port 80`, `not arp`, `host fd42::1`,
 * `ether host 02:…`. For a VXLAN packet, the caller gives the frame inside (`innerFrame`).
 */

import { ipv4ToBytes, isIpv4, parseIpv4 } from '../../model/address/ipv4.ts';
import { ipv6ToBytes, parseIpv6 } from '../../model/address/ipv6.ts';
import { macToBytes, parseMac } from '../../model/address/mac.ts';
import { MeshError } from '../../model/error.ts';
import { FILTER_MAX_LENGTH } from '../../protocol/documents/capture.ts';

/** Whether a frame is wanted. @param frame an Ethernet frame, possibly cut */
export type FrameFilter = (frame: Uint8Array) => boolean;

const ETHERNET_BYTES = 14;
const ETHERTYPES = { ip: 0x0800, arp: 0x0806, ip6: 0x86dd } as const;
/** Protocol number and, where it matters, IP version of each word. */
const PROTOCOLS = { icmp: [1, 4], tcp: [6, undefined], udp: [17, undefined], icmp6: [58, 6] } as const;

/**
 * A filter from its text; an empty text takes all frames.
 * @throws MESH_USAGE, MESH_ADDRESS_INVALID
 */
export function parseFrameFilter(text: string): FrameFilter {
  if (text.length > FILTER_MAX_LENGTH) throw unknownWord(text.slice(0, 20));
  const words = text.split(/\s+/).filter((word) => word !== '' && word !== 'and');
  const terms: FrameFilter[] = [];
  while (words.length > 0) {
    const negated = words[0] === 'not';
    if (negated) words.shift();
    const term = parseTerm(words);
    terms.push(negated ? (frame) => !term(frame) : term);
  }
  return (frame) => terms.every((term) => term(frame));
}

/** Removes the words of one term from the front of `words`. */
function parseTerm(words: string[]): FrameFilter {
  const word = words.shift() ?? '';
  switch (word) {
    case 'ip':
    case 'ip6':
    case 'arp':
      return (frame) => etherType(frame) === ETHERTYPES[word];
    case 'icmp':
    case 'icmp6':
    case 'tcp':
    case 'udp': {
      const [number, version] = PROTOCOLS[word];
      return (frame) => {
        const packet = packetOf(frame);
        return packet?.protocol === number && (version === undefined || packet.version === version);
      };
    }
    case 'port':
      return hasPort(parsePort(words.shift() ?? ''));
    case 'host':
      return hasAddress(words.shift() ?? '');
    case 'ether': {
      if (words[0] === 'host') words.shift();
      const mac = macToBytes(parseMac(words.shift() ?? ''));
      return (frame) => holds(frame, 0, mac) || holds(frame, 6, mac);
    }
    default:
      throw unknownWord(word);
  }
}

function unknownWord(word: string): MeshError {
  return new MeshError('MESH_USAGE', `a filter has no word ${JSON.stringify(word)}`, {
    rule: 'Its words are ip, ip6, arp, icmp, icmp6, tcp, udp, port NUMBER, host ADDRESS and ether host MAC, each with «not» before it if you like; all must hold.',
    remedy: 'Write for example: --filter "tcp port 80 host fd42::7".',
  });
}

function parsePort(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) < 0x10000) return Number(text);
  throw new MeshError('MESH_USAGE', `${JSON.stringify(text)} is not a port`, { remedy: 'Write a number up to 65535.' });
}

function hasPort(port: number): FrameFilter {
  return (frame) => {
    const packet = packetOf(frame);
    if (packet === undefined || (packet.protocol !== 6 && packet.protocol !== 17)) return false;
    return halfAt(frame, packet.payload) === port || halfAt(frame, packet.payload + 2) === port;
  };
}

/** Source or destination; for ARP, sender or target (RFC 826). */
function hasAddress(text: string): FrameFilter {
  if (isIpv4(text)) {
    const bytes = ipv4ToBytes(parseIpv4(text));
    const places = { [ETHERTYPES.ip]: [12, 16], [ETHERTYPES.arp]: [14, 24] } as const;
    return (frame) => {
      const type = etherType(frame);
      if (type !== ETHERTYPES.ip && type !== ETHERTYPES.arp) return false;
      return places[type].some((at) => holds(frame, ETHERNET_BYTES + at, bytes));
    };
  }
  const bytes = ipv6ToBytes(parseIpv6(text));
  return (frame) =>
    etherType(frame) === ETHERTYPES.ip6 && [8, 24].some((at) => holds(frame, ETHERNET_BYTES + at, bytes));
}

interface IpPacket {
  readonly version: 4 | 6;
  readonly protocol: number;
  /** Offset of the payload in the frame. */
  readonly payload: number;
}

/** IPv6 extension headers are not followed: packets with such headers match no protocol word. */
function packetOf(frame: Uint8Array): IpPacket | undefined {
  const type = etherType(frame);
  if (type === ETHERTYPES.ip) {
    const payload = ETHERNET_BYTES + ((frame[ETHERNET_BYTES] ?? 0) & 15) * 4;
    return { version: 4, protocol: frame[ETHERNET_BYTES + 9] ?? -1, payload };
  }
  if (type === ETHERTYPES.ip6) {
    return { version: 6, protocol: frame[ETHERNET_BYTES + 6] ?? -1, payload: ETHERNET_BYTES + 40 };
  }
  return undefined;
}

function etherType(frame: Uint8Array): number {
  return halfAt(frame, 12);
}

/** 16 bits at an offset; -1 if the frame is cut before that. */
function halfAt(frame: Uint8Array, at: number): number {
  const [high, low] = [frame[at], frame[at + 1]];
  return high === undefined || low === undefined ? -1 : high * 0x100 + low;
}

function holds(frame: Uint8Array, at: number, bytes: Uint8Array): boolean {
  return bytes.every((byte, index) => frame[at + index] === byte);
}

/** UDP and VXLAN headers (RFC 7348 §5). */
const VXLAN_BYTES = 16;

/** The frame inside a VXLAN packet over IPv4. */
export function innerFrame(outer: Uint8Array): Uint8Array {
  return outer.subarray(ETHERNET_BYTES + ((outer[ETHERNET_BYTES] ?? 0) & 15) * 4 + VXLAN_BYTES);
}
