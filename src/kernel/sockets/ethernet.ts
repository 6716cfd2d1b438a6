/** Ethernet frames (IEEE 802.3 §3.2, without the check sequence). */
import { type Mac, macFromHex, macToBytes } from '../../model/address/mac.ts';

/** The Ethernet header: destination, source and type. */
export const ETHERNET_BYTES = 14;
/** Types of Ethernet frames (IEEE 802 numbers). */
export const ETHERTYPE = { ipv4: 0x0800, arp: 0x0806, ipv6: 0x86dd } as const;
/** Protocols in an IP packet: the protocol field of IPv4 and the next header of IPv6 (IANA numbers). */
export const IP_PROTOCOL = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58 } as const;
/** The IPv6 header without extension headers (RFC 8200 §3). */
export const IPV6_BYTES = 40;

/** All stations on the segment. */
export const BROADCAST_MAC = 'ff:ff:ff:ff:ff:ff' as Mac;

/** The fields of an Ethernet header; `type` as in ETHERTYPE. */
interface EthernetHeader {
  readonly from: Mac;
  readonly to: Mac;
  readonly type: number;
}

/** A frame with this header and payload, without padding to the minimum length. */
export function encodeEthernet({ from, to, type }: EthernetHeader, payload: Uint8Array): Buffer {
  const header = Buffer.alloc(ETHERNET_BYTES);
  header.set(macToBytes(to), 0);
  header.set(macToBytes(from), 6);
  header.writeUInt16BE(type, 12);
  return Buffer.concat([header, payload]);
}

/** The source address of a frame of at least 14 bytes. */
export function sourceMac(frame: Buffer): Mac {
  return macFromHex(frame.toString('hex', 6, 12));
}

/** The destination address of a frame of at least 14 bytes. */
export function destinationMac(frame: Buffer): Mac {
  return macFromHex(frame.toString('hex', 0, 6));
}
