/**
 * Questions to the dnsmasq of a network that take nothing from it, as frames: they show whether it answers in the network.
 */
import { ETHERTYPE, encodeEthernet, IP_PROTOCOL, IPV6_BYTES } from '../../kernel/sockets/ethernet.ts';
import { internetChecksum } from '../../kernel/sockets/icmp.ts';
import { encodeNeighbourFrame, groupMac, type NeighbourEnd } from '../../kernel/sockets/neighbour-frame.ts';
import { type Ipv4, ipv4ToBytes } from '../../model/address/ipv4.ts';
import { ipv6ToBytes, parseIpv6 } from '../../model/address/ipv6.ts';
import { type Mac, macToBytes } from '../../model/address/mac.ts';

/** The ports from which dnsmasq answers. */
export const ANSWERS_FROM = { dhcp4: 67, dhcp6: 547, dns: 53 } as const;
/** The port to which DNS answers a question of `dnsProbe`. */
export const DNS_ASKER_PORT = 53_535;
/** What dnsmasq is asked for. */
export type ProbedService = keyof typeof ANSWERS_FROM;

const BROADCAST = 'ff:ff:ff:ff:ff:ff' as Mac;
const IPV4_BYTES = 20;
const UDP_BYTES = 8;
const ETHERNET_BYTES = 14;
/** dnsmasq takes no shorter packets (RFC 951: 300 bytes). */
const BOOTP_BYTES = 300;
const OPTIONS_AT = 240;
const SERVERS = { mac: groupMac(parseIpv6('ff02::1:2')), ipv6: parseIpv6('ff02::1:2') };
const TRANSACTION = 0x6d657368;

/**
 * Asks the server for its own address: it refuses that aloud (DHCPNAK), and gives nothing.
 * @param own the address of the server
 */
export function dhcp4Probe(asker: Mac, own: Ipv4): Buffer {
  const message = Buffer.alloc(BOOTP_BYTES);
  // BOOTREQUEST over Ethernet, and the flag for an answer by broadcast.
  message.set([1, 1, 6, 0]);
  message.writeUInt32BE(TRANSACTION, 4);
  message.writeUInt16BE(0x8000, 10);
  message.set(macToBytes(asker), 28);
  message.set([99, 130, 83, 99], OPTIONS_AT - 4);
  const address = [...ipv4ToBytes(own)];
  // A DHCPREQUEST (option 53) for the address (50) to the server (54).
  message.set([53, 1, 3, 50, 4, ...address, 54, 4, ...address, 255], OPTIONS_AT);
  const packet = Buffer.alloc(IPV4_BYTES + UDP_BYTES + message.length);
  packet.writeUInt8(0x45, 0);
  packet.writeUInt16BE(packet.length, 2);
  packet.writeUInt8(64, 8);
  packet.writeUInt8(IP_PROTOCOL.udp, 9);
  packet.fill(0xff, 16, 20);
  packet.writeUInt16BE(internetChecksum(packet.subarray(0, IPV4_BYTES)), 10);
  packet.set(udpHeader(68, 67, message.length), IPV4_BYTES);
  packet.set(message, IPV4_BYTES + UDP_BYTES);
  return encodeEthernet({ from: asker, to: BROADCAST, type: ETHERTYPE.ipv4 }, packet);
}

/** Asks all DHCPv6 servers for their settings, and for no address (RFC 8415 §18.2.6). */
export function dhcp6Probe(asker: NeighbourEnd): Buffer {
  const duid = [0, 3, 0, 1, ...macToBytes(asker.mac)];
  const message = Buffer.from([11, 0x6d, 0x65, 0x73, 0, 1, 0, duid.length, ...duid, 0, 6, 0, 2, 0, 23]);
  return dhcp6Frame(asker, message);
}

/** A message of a client to all DHCPv6 servers. */
export function dhcp6Frame(client: NeighbourEnd, message: Buffer): Buffer {
  return udp6Frame(client, SERVERS, 546, ANSWERS_FROM.dhcp6, message);
}

/** Asks for dnsmasq's version: it answers that by itself, whatever it forwards. */
export function dnsProbe(asker: NeighbourEnd, server: NeighbourEnd): Buffer {
  const name = ['version', 'bind'].flatMap((label) => [label.length, ...Buffer.from(label)]);
  const message = Buffer.from([0x6d, 0x65, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...name, 0, 0, 16, 0, 3]);
  return udp6Frame(asker, server, DNS_ASKER_PORT, ANSWERS_FROM.dns, message);
}

/** Tells the server which Ethernet address the asker has (RFC 4861 §7.2.3): it then answers without asking. */
export function introduction(asker: NeighbourEnd, server: NeighbourEnd): Buffer {
  const message = Buffer.from([135, 0, 0, 0, 0, 0, 0, 0, ...ipv6ToBytes(server.ipv6), 1, 1, ...macToBytes(asker.mac)]);
  return encodeNeighbourFrame(asker, server, message);
}

/** Which service a frame of the server answers for; undefined for all other frames. */
export function answeredBy(frame: Buffer): ProbedService | undefined {
  if (frame.length < ETHERNET_BYTES + IPV6_BYTES + UDP_BYTES) return undefined;
  const type = frame.readUInt16BE(12);
  const isIpv4 = type === ETHERTYPE.ipv4;
  if (!isIpv4 && type !== ETHERTYPE.ipv6) return undefined;
  const protocol = frame[ETHERNET_BYTES + (isIpv4 ? 9 : 6)];
  if (protocol !== IP_PROTOCOL.udp) return undefined;
  const port = frame.readUInt16BE(ETHERNET_BYTES + (isIpv4 ? 4 * ((frame[ETHERNET_BYTES] ?? 0) & 0x0f) : IPV6_BYTES));
  if (port === ANSWERS_FROM.dns) return 'dns';
  if (port === ANSWERS_FROM.dhcp4 && isIpv4) return 'dhcp4';
  return port === ANSWERS_FROM.dhcp6 && !isIpv4 ? 'dhcp6' : undefined;
}

function udpHeader(from: number, to: number, length: number): Buffer {
  const header = Buffer.alloc(UDP_BYTES);
  header.writeUInt16BE(from, 0);
  header.writeUInt16BE(to, 2);
  header.writeUInt16BE(UDP_BYTES + length, 4);
  return header;
}

function udp6Frame(from: NeighbourEnd, to: NeighbourEnd, source: number, port: number, message: Buffer): Buffer {
  const segment = Buffer.concat([udpHeader(source, port, message.length), message]);
  const packet = Buffer.alloc(IPV6_BYTES + segment.length);
  packet.writeUInt8(0x60, 0);
  packet.writeUInt16BE(segment.length, 4);
  packet.writeUInt8(IP_PROTOCOL.udp, 6);
  packet.writeUInt8(64, 7);
  packet.set(ipv6ToBytes(from.ipv6), 8);
  packet.set(ipv6ToBytes(to.ipv6), 24);
  const pseudo = Buffer.alloc(IPV6_BYTES);
  packet.copy(pseudo, 0, 8, IPV6_BYTES);
  pseudo.writeUInt32BE(segment.length, 32);
  pseudo.writeUInt8(IP_PROTOCOL.udp, 39);
  const sum = internetChecksum(Buffer.concat([pseudo, segment]));
  segment.writeUInt16BE(sum === 0 ? 0xffff : sum, 6);
  packet.set(segment, IPV6_BYTES);
  return encodeEthernet({ from: from.mac, to: to.mac, type: ETHERTYPE.ipv6 }, packet);
}
