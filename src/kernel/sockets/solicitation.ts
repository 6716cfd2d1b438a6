/**
 * Neighbour solicitations inside VXLAN packets, in bytes: RFC 4861 §4.3 and §4.4 in an Ethernet frame after the 8 bytes
 * of RFC 7348 §5. A solicitation asks who has an address, and carries the MAC address of the asker, so that any machine
 * can answer.
 */
import { type Ipv4, ipv4FromBytes } from '../../model/address/ipv4.ts';
import { type Ipv6, ipv6FromBytes, ipv6ToBytes } from '../../model/address/ipv6.ts';
import { macToBytes } from '../../model/address/mac.ts';
import { type Vni, VXLAN_PORT } from '../../model/network/types/vxlan.ts';
import { ETHERNET_BYTES, ETHERTYPE, IP_PROTOCOL, IPV6_BYTES } from './ethernet.ts';
import { encodeNeighbourFrame, groupMac, type NeighbourEnd } from './neighbour-frame.ts';

/** Who asks in which VNI, and for which address. */
export interface Solicitation {
  readonly vni: Vni;
  readonly from: NeighbourEnd;
  readonly target: Ipv6;
}

const VXLAN_BYTES = 8;
const UDP_BYTES = 8;
const IPV4_MIN_BYTES = 20;
/** The ICMPv6 part: type, code, checksum, flags, target. */
const MESSAGE_BYTES = 24;
const OPTION_BYTES = 8;

/** The I flag: the VNI is valid. */
const VXLAN_FLAGS = 0x08;
const SOLICITATION = 135;
const ADVERTISEMENT = 136;
const SOURCE_LINK_LAYER_ADDRESS = 1;

/** Encodes a solicitation as the payload of a UDP datagram to the VXLAN port. */
export function encodeSolicitation({ vni, from, target }: Solicitation): Buffer {
  const message = Buffer.alloc(MESSAGE_BYTES + OPTION_BYTES);
  message.writeUInt8(SOLICITATION, 0);
  message.set(ipv6ToBytes(target), 8);
  message.writeUInt8(SOURCE_LINK_LAYER_ADDRESS, MESSAGE_BYTES);
  message.writeUInt8(1, MESSAGE_BYTES + 1);
  message.set(macToBytes(from.mac), MESSAGE_BYTES + 2);

  // RFC 4291 §2.7.1: ff02::1:ffXX:XXXX with the last 24 bits of the target.
  const group = Buffer.from('ff0200000000000000000001ff000000', 'hex');
  group.set(ipv6ToBytes(target).subarray(13), 13);
  const to = ipv6FromBytes(group);
  const frame = encodeNeighbourFrame(from, { mac: groupMac(to), ipv6: to }, message);
  const vxlan = Buffer.alloc(VXLAN_BYTES);
  vxlan.writeUInt8(VXLAN_FLAGS, 0);
  vxlan.writeUInt32BE(vni * 0x100, 4);
  return Buffer.concat([vxlan, frame]);
}

/** The outer source address of an IPv4 packet that answers the solicitation; undefined for any other packet. */
export function decodeAdvertiser(packet: Buffer, { vni, target }: Solicitation): Ipv4 | undefined {
  const outer = ((packet[0] ?? 0) & 15) * 4;
  const vxlan = outer + UDP_BYTES;
  const header = vxlan + VXLAN_BYTES + ETHERNET_BYTES;
  const message = header + IPV6_BYTES;
  if (outer < IPV4_MIN_BYTES || packet.length < message + MESSAGE_BYTES) return undefined;
  const answers =
    packet.readUInt8(9) === IP_PROTOCOL.udp &&
    packet.readUInt16BE(outer + 2) === VXLAN_PORT &&
    packet.readUInt32BE(vxlan + 4) >>> 8 === vni &&
    packet.readUInt16BE(header - 2) === ETHERTYPE.ipv6 &&
    packet.readUInt8(header + 6) === IP_PROTOCOL.icmpv6 &&
    packet.readUInt8(message) === ADVERTISEMENT &&
    ipv6FromBytes(packet.subarray(message + 8, message + MESSAGE_BYTES)) === target;
  return answers ? ipv4FromBytes(packet.subarray(12, 16)) : undefined;
}
