/**
 * The mark by which host0s on one segment recognise each other. host0 looks for DHCP servers with a DHCPDISCOVER. Its option
 * 224 (for private use, RFC 3942) names the sender: `MWh0`, the installation (4 bytes), how long this host0 has run (ms, 6
 * bytes), flags (1 byte) and its address on this segment (4 bytes).
 */
import { BROADCAST_MAC } from '../../kernel/sockets/ethernet.ts';
import { type Ipv4, ipv4FromBytes, ipv4ToBytes } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';
import { type DhcpPacket, encodeDhcp, OPTION } from './dhcp-packet.ts';
import { BROADCAST_IPV4, encodeUdpFrame, NO_IPV4 } from './udp-frame.ts';

/** The id of one host0: 8 hex digits, made once and kept in `<state>/boot/installation`. */
export type Installation = string & { readonly __brand: 'Installation' };

/** What option 224 of a probe says about the host0 that sent it. */
export interface Host0Mark {
  readonly installation: Installation;
  /** How long this host0 has run. */
  readonly ageMs: number;
  /** This probe answers the probe of another host0. A reply is not answered. */
  readonly reply: boolean;
  /** This host0 leaves the segment to another one, or serves no boots at all. */
  readonly passive: boolean;
  /** The address of this host0 on the segment, if it has one. */
  readonly ipv4?: Ipv4;
}

/** The vendor class of a probe. host0's own dnsmasq is configured to ignore it. */
export const PROBE_CLASS = 'meshwork-probe';

const MARK_OPTION = 224;
const MAGIC = Buffer.from('MWh0');
const MARK_BYTES = 19;
const REPLY = 1;
const PASSIVE = 2;
const AGE_MAX_MS = 2 ** 48 - 1;
const DISCOVER = 1;

/** Encodes a probe as a whole Ethernet frame: a DHCPDISCOVER like any client's, to be answered by broadcast. */
export function encodeProbe(mac: Mac, xid: number, mark: Host0Mark): Buffer {
  const payload = encodeDhcp({
    op: 1,
    xid,
    broadcast: true,
    chaddr: mac,
    options: [
      [OPTION.messageType, Uint8Array.of(DISCOVER)],
      [OPTION.vendorClass, Buffer.from(PROBE_CLASS)],
      [OPTION.parameterList, Uint8Array.of(OPTION.subnetMask, OPTION.router, OPTION.leaseTime, OPTION.serverId)],
      [MARK_OPTION, encodeMark(mark)],
    ],
  });
  return encodeUdpFrame({
    from: { mac, ipv4: NO_IPV4, port: 68 },
    to: { mac: BROADCAST_MAC, ipv4: BROADCAST_IPV4, port: 67 },
    payload,
  });
}

function encodeMark({ installation, ageMs, reply, passive, ipv4 = NO_IPV4 }: Host0Mark): Buffer {
  const bytes = Buffer.alloc(MARK_BYTES);
  MAGIC.copy(bytes);
  bytes.write(installation, 4, 'hex');
  bytes.writeUIntBE(Math.min(Math.max(0, Math.floor(ageMs)), AGE_MAX_MS), 8, 6);
  bytes.writeUInt8((reply ? REPLY : 0) | (passive ? PASSIVE : 0), 14);
  bytes.set(ipv4ToBytes(ipv4), 15);
  return bytes;
}

/** Reads the mark in option 224. @returns undefined for a packet without a mark */
export function host0MarkOf({ options }: DhcpPacket): Host0Mark | undefined {
  const bytes = options.get(MARK_OPTION);
  if (bytes === undefined || bytes.length < MARK_BYTES || !bytes.subarray(0, 4).equals(MAGIC)) return undefined;
  const flags = bytes.readUInt8(14);
  const ipv4 = ipv4FromBytes(bytes.subarray(15, 19));
  return {
    installation: bytes.toString('hex', 4, 8) as Installation,
    ageMs: bytes.readUIntBE(8, 6),
    reply: (flags & REPLY) !== 0,
    passive: (flags & PASSIVE) !== 0,
    ...(ipv4 !== NO_IPV4 && { ipv4 }),
  };
}

/** Two host0s that started within this time are ordered by their installation ids: both come to the same answer. */
const SAME_AGE_MS = 1000;

/** Whether `other` has run for longer, so that it gets the segment. A passive host0 never claims a segment. */
export function isSenior(other: Host0Mark, own: Pick<Host0Mark, 'installation' | 'ageMs'>): boolean {
  if (other.passive) return false;
  const difference = other.ageMs - own.ageMs;
  return Math.abs(difference) < SAME_AGE_MS ? other.installation < own.installation : difference > 0;
}
