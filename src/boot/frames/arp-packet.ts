/** ARP for IPv4 over Ethernet (RFC 826): asks who has an address, and reads the answers. */
import { BROADCAST_MAC, ETHERNET_BYTES, ETHERTYPE, encodeEthernet } from '../../kernel/sockets/ethernet.ts';
import { type Ipv4, ipv4FromBytes, ipv4ToBytes } from '../../model/address/ipv4.ts';
import { type Mac, macFromHex, macToBytes } from '../../model/address/mac.ts';

/** The operation of an answer, at offset 20 of a frame. */
export const ARP_REPLY = 2;
/** Hardware type Ethernet, protocol IPv4, addresses of 6 and 4 bytes. */
const KIND = Buffer.from('000108000604', 'hex');
const ARP_BYTES = 28;
const FRAME_BYTES = 60;

/** Who has an IPv4 address. */
export interface ArpHolder {
  readonly ipv4: Ipv4;
  readonly mac: Mac;
}

/** A request by broadcast. @param asker 0.0.0.0 for a probe that no host learns from (RFC 5227 §1.1) */
export function encodeArpRequest(mac: Mac, asker: Ipv4, target: Ipv4): Buffer {
  const arp = Buffer.alloc(FRAME_BYTES - ETHERNET_BYTES);
  KIND.copy(arp);
  arp.writeUInt16BE(1, 6);
  arp.set(macToBytes(mac), 8);
  arp.set(ipv4ToBytes(asker), 14);
  arp.set(ipv4ToBytes(target), 24);
  return encodeEthernet({ from: mac, to: BROADCAST_MAC, type: ETHERTYPE.arp }, arp);
}

/** The sender of an answer. @returns undefined for any other frame */
export function decodeArpReply(frame: Buffer): ArpHolder | undefined {
  if (frame.length < ETHERNET_BYTES + ARP_BYTES || frame.readUInt16BE(12) !== ETHERTYPE.arp) return undefined;
  const arp = frame.subarray(ETHERNET_BYTES);
  if (!arp.subarray(0, KIND.length).equals(KIND) || arp.readUInt16BE(6) !== ARP_REPLY) return undefined;
  return { ipv4: ipv4FromBytes(arp.subarray(14, 18)), mac: macFromHex(arp.toString('hex', 8, 14)) };
}
