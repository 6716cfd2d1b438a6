/**
 * Messages of IPv6 neighbour discovery (RFC 4861) in bytes: an ICMPv6 message in an IPv6 packet in an Ethernet frame.
 * Its hop limit is 255, since receivers drop messages that passed a router (§6.1, §7.1).
 */
import { type Ipv6, ipv6FromBytes, ipv6ToBytes } from '../../model/address/ipv6.ts';
import { type Mac, macFromHex, macToBytes } from '../../model/address/mac.ts';
import { ETHERTYPE, encodeEthernet, IP_PROTOCOL, IPV6_BYTES } from './ethernet.ts';
import { internetChecksum } from './icmp.ts';

/** Sender or receiver of a frame, by both addresses. */
export interface NeighbourEnd {
  readonly mac: Mac;
  readonly ipv6: Ipv6;
}

/** The only hop limit that receivers accept (RFC 4861 §6.1, §7.1). */
export const HOP_LIMIT = 255;
const VERSION = 0x60;
const CHECKSUM_AT = 2;

/**
 * A frame with one ICMPv6 message.
 * @param message from its type on; its checksum is filled in
 */
export function encodeNeighbourFrame(from: NeighbourEnd, to: NeighbourEnd, message: Uint8Array): Buffer {
  const packet = Buffer.alloc(IPV6_BYTES + message.length);
  packet.writeUInt8(VERSION, 0);
  packet.writeUInt16BE(message.length, 4);
  packet.writeUInt8(IP_PROTOCOL.icmpv6, 6);
  packet.writeUInt8(HOP_LIMIT, 7);
  packet.set(ipv6ToBytes(from.ipv6), 8);
  packet.set(ipv6ToBytes(to.ipv6), 24);
  packet.set(message, IPV6_BYTES);
  // The checksum covers the pseudo header of RFC 8200 §8.1, too.
  const pseudo = Buffer.alloc(IPV6_BYTES);
  packet.copy(pseudo, 0, 8, IPV6_BYTES);
  pseudo.writeUInt32BE(message.length, 32);
  pseudo.writeUInt8(IP_PROTOCOL.icmpv6, 39);
  packet.writeUInt16BE(internetChecksum(Buffer.concat([pseudo, message])), IPV6_BYTES + CHECKSUM_AT);
  return encodeEthernet({ from: from.mac, to: to.mac, type: ETHERTYPE.ipv6 }, packet);
}

/** The MAC address of an IPv6 multicast group: 33:33 and the last four bytes of the group (RFC 2464 §7). */
export function groupMac(group: Ipv6): Mac {
  return macFromHex(`3333${Buffer.from(ipv6ToBytes(group)).toString('hex', 12)}`);
}

/** The link-local address that is derived from a MAC address (RFC 4291, appendix A). */
export function linkLocalOf(mac: Mac): Ipv6 {
  const [first = 0, ...rest] = macToBytes(mac);
  const interfaceId = [first ^ 2, ...rest.slice(0, 2), 0xff, 0xfe, ...rest.slice(2)];
  return ipv6FromBytes(Uint8Array.from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, ...interfaceId]));
}
