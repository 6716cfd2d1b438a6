/** Ethernet frames (IEEE 802.3 §3.2, without the check sequence): what everything on a segment begins with. */
import { type Mac, macFromHex, macToBytes } from '../../model/address/mac.ts';

/** Destination, source and type. */
export const ETHERNET_BYTES = 14;
export const ETHERTYPE = { ipv4: 0x0800, arp: 0x0806, ipv6: 0x86dd } as const;
/** What an IP packet carries, as IPv4's protocol and IPv6's next header have it. */
export const IP_PROTOCOL = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58 } as const;
export const IPV6_BYTES = 40;

export const BROADCAST_MAC = 'ff:ff:ff:ff:ff:ff' as Mac;

export interface EthernetHeader {
  readonly from: Mac;
  readonly to: Mac;
  readonly type: number;
}

export function encodeEthernet({ from, to, type }: EthernetHeader, payload: Uint8Array): Buffer {
  const header = Buffer.alloc(ETHERNET_BYTES);
  header.set(macToBytes(to), 0);
  header.set(macToBytes(from), 6);
  header.writeUInt16BE(type, 12);
  return Buffer.concat([header, payload]);
}

/** Where a frame says that it comes from. */
export function sourceMac(frame: Buffer): Mac {
  return macFromHex(frame.toString('hex', 6, 12));
}

export function destinationMac(frame: Buffer): Mac {
  return macFromHex(frame.toString('hex', 0, 6));
}
