/**
 * The packets of network boot, out of all that a segment carries: DHCP, PXE's second port, TFTP's requests and errors, and
 * who asks for an IPv6 router.
 */
import { ETHERTYPE, IP_PROTOCOL } from '../../kernel/sockets/ethernet.ts';
import type { FilterStep } from '../../kernel/sockets/packet-filter.ts';
import { SOLICITATION } from './router-answer.ts';

const TO_TFTP = { yes: 'tftp' } as const;
const TO_TAKE = { yes: 'take' } as const;

/** Offsets from the Ethernet header; `indexed` ones from the end of the IPv4 header less its 14 bytes. */
export const BOOT_FILTER: readonly FilterStep[] = [
  { load: 'half', offset: 12 },
  { equal: ETHERTYPE.ipv6, yes: 'ipv6' },
  { equal: ETHERTYPE.ipv4, no: 'drop' },
  { load: 'byte', offset: 23 },
  { equal: IP_PROTOCOL.udp, no: 'drop' },
  // Fragments: only the first has ports, and none of these is ever so long.
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
  // Not the blocks of a file: RRQ, WRQ and ERROR alone.
  { at: 'tftp', load: 'half', offset: 22, indexed: true },
  { equal: 1, ...TO_TAKE },
  { equal: 2, ...TO_TAKE },
  { equal: 5, yes: 'take', no: 'drop' },
  { at: 'ipv6', load: 'byte', offset: 20 },
  { equal: IP_PROTOCOL.icmpv6, no: 'drop' },
  { load: 'byte', offset: 54 },
  { equal: SOLICITATION, no: 'drop' },
  { at: 'take', take: true },
  { at: 'drop', take: false },
];
