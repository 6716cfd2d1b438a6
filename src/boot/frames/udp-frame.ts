/** UDP over IPv4 in an Ethernet frame (RFC 768, RFC 791), as a packet socket sends and receives it. */
import {
  destinationMac,
  ETHERNET_BYTES,
  ETHERTYPE,
  encodeEthernet,
  IP_PROTOCOL,
  sourceMac,
} from '../../kernel/sockets/ethernet.ts';
import { internetChecksum } from '../../kernel/sockets/icmp.ts';
import { type Ipv4, ipv4FromBytes, ipv4ToBytes } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';

/** Sender or receiver of a datagram. */
export interface UdpEnd {
  readonly mac: Mac;
  readonly ipv4: Ipv4;
  /** The UDP port. */
  readonly port: number;
}

/** A UDP datagram with its addresses of all three layers. */
export interface UdpFrame {
  readonly from: UdpEnd;
  readonly to: UdpEnd;
  readonly payload: Buffer;
}

/** All hosts on the segment (RFC 919). */
export const BROADCAST_IPV4 = '255.255.255.255' as Ipv4;
/** "No address": the sender of a DHCP client that has none yet. */
export const NO_IPV4 = '0.0.0.0' as Ipv4;

const IPV4_BYTES = 20;
const UDP_BYTES = 8;
const TTL = 64;
/** "More fragments" and the fragment offset; non-zero in any fragment. */
const FRAGMENT_BITS = 0x3fff;

/** Encodes a datagram as a whole Ethernet frame with both checksums. */
export function encodeUdpFrame({ from, to, payload }: UdpFrame): Buffer {
  const ip = Buffer.alloc(IPV4_BYTES + UDP_BYTES + payload.length);
  ip.writeUInt8(0x45, 0);
  ip.writeUInt16BE(ip.length, 2);
  ip.writeUInt8(TTL, 8);
  ip.writeUInt8(IP_PROTOCOL.udp, 9);
  ip.set(ipv4ToBytes(from.ipv4), 12);
  ip.set(ipv4ToBytes(to.ipv4), 16);
  ip.writeUInt16BE(internetChecksum(ip.subarray(0, IPV4_BYTES)), 10);
  const udp = ip.subarray(IPV4_BYTES);
  udp.writeUInt16BE(from.port, 0);
  udp.writeUInt16BE(to.port, 2);
  udp.writeUInt16BE(udp.length, 4);
  payload.copy(udp, UDP_BYTES);
  // The checksum covers the pseudo header of RFC 768, too. A sum of 0 is sent as 0xffff, since 0 means "no checksum".
  const pseudo = Buffer.alloc(12);
  ip.copy(pseudo, 0, 12, 20);
  pseudo.writeUInt8(IP_PROTOCOL.udp, 9);
  pseudo.writeUInt16BE(udp.length, 10);
  udp.writeUInt16BE(internetChecksum(Buffer.concat([pseudo, udp])) || 0xffff, 6);
  return encodeEthernet({ from: from.mac, to: to.mac, type: ETHERTYPE.ipv4 }, ip);
}

/**
 * Decodes a captured frame. The checksum is not verified, because this host's own senders leave it to the network card.
 * @returns undefined for anything but a whole, unfragmented UDP datagram
 */
export function decodeUdpFrame(frame: Buffer): UdpFrame | undefined {
  if (frame.length < ETHERNET_BYTES + IPV4_BYTES + UDP_BYTES || frame.readUInt16BE(12) !== ETHERTYPE.ipv4)
    return undefined;
  const ip = frame.subarray(ETHERNET_BYTES);
  const first = ip.readUInt8(0);
  const headerBytes = (first & 0x0f) * 4;
  const totalBytes = ip.readUInt16BE(2);
  if (first >> 4 !== 4 || headerBytes < IPV4_BYTES || ip.readUInt8(9) !== IP_PROTOCOL.udp) return undefined;
  if ((ip.readUInt16BE(6) & FRAGMENT_BITS) !== 0) return undefined;
  if (totalBytes > ip.length || totalBytes < headerBytes + UDP_BYTES) return undefined;
  const udp = ip.subarray(headerBytes, totalBytes);
  const udpBytes = udp.readUInt16BE(4);
  if (udpBytes < UDP_BYTES || udpBytes > udp.length) return undefined;
  const end = (mac: Mac, ipAt: number, portAt: number): UdpEnd => ({
    mac,
    ipv4: ipv4FromBytes(ip.subarray(ipAt, ipAt + 4)),
    port: udp.readUInt16BE(portAt),
  });
  const payload = udp.subarray(UDP_BYTES, udpBytes);
  return { from: end(sourceMac(frame), 12, 0), to: end(destinationMac(frame), 16, 2), payload };
}
