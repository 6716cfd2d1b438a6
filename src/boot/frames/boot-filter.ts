/**
 * A packet filter that takes only the packets of a network boot: DHCP, PXE's second UDP port (4011), TFTP requests and
 * errors, IPv6 router solicitations, and the answers to host0's ARP requests.
 */
import { ETHERTYPE, IP_PROTOCOL } from '../../kernel/sockets/ethernet.ts';
import type { FilterStep } from '../../kernel/sockets/packet-filter.ts';
import { ARP_REPLY } from './arp-packet.ts';
import { SOLICITATION } from './router-answer.ts';

const TO_TFTP = { yes: 'tftp' } as const;
const TO_TAKE = { yes: 'take' } as const;

/**
 * The steps of the filter. Offsets count from the start of the Ethernet header. `indexed` offsets count from 14 bytes before
 * the end of the IPv4 header, whose length varies.
 */
export const BOOT_FILTER: readonly FilterStep[] = [
  { load: 'half', offset: 12 },
  { equal: ETHERTYPE.ipv6, yes: 'ipv6' },
  { equal: ETHERTYPE.arp, yes: 'arp' },
  { equal: ETHERTYPE.ipv4, no: 'drop' },
  { load: 'byte', offset: 23 },
  { equal: IP_PROTOCOL.udp, no: 'drop' },
  // Fragments are dropped: only the first one has UDP ports, and a boot packet is never so long that it is split.
  { load: 'half', offset: 20 },
  { anyBit: 0x3fff, yes: 'drop' },
  { headerLength: 14 },
  { load: 'half', offset: 14, indexed: true },
  { equal: 67, ...TO_TAKE },
  { equal: 68, ...TO_TAKE },
  { equal: 4011, ...TO_TAKE },
  { equal: 69, ...TO_TFTP },
  { load: 'half', offset: 16, indexed: true },
  { equal: 67, ...TO_TAKE },
  { equal: 68, ...TO_TAKE },
  { equal: 4011, ...TO_TAKE },
  { equal: 69, yes: 'tftp', no: 'drop' },
  // Of TFTP only RRQ, WRQ and ERROR; the blocks of a file are dropped.
  { at: 'tftp', load: 'half', offset: 22, indexed: true },
  { equal: 1, ...TO_TAKE },
  { equal: 2, ...TO_TAKE },
  { equal: 5, yes: 'take', no: 'drop' },
  { at: 'ipv6', load: 'byte', offset: 20 },
  { equal: IP_PROTOCOL.icmpv6, no: 'drop' },
  { load: 'byte', offset: 54 },
  { equal: SOLICITATION, yes: 'take', no: 'drop' },
  { at: 'arp', load: 'half', offset: 20 },
  { equal: ARP_REPLY, no: 'drop' },
  { at: 'take', take: true },
  { at: 'drop', take: false },
];
