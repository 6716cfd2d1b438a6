/** The packet filters of captures: which packets of a device belong to a mesh. */
import { type Vni, VXLAN_PORT } from '../../model/network/types/vxlan.ts';
import { ETHERNET_BYTES, ETHERTYPE, IP_PROTOCOL, IPV6_BYTES } from './ethernet.ts';
import type { FilterStep } from './packet-filter.ts';

/** IPv4 fragment offset; not 0 in every fragment but the first. */
const FRAGMENT_OFFSET = 0x1fff;
/** Bytes from the end of the outer IPv4 header to the inner frame: UDP and VXLAN headers. */
const VXLAN_BYTES = 16;
/** Offsets in an Ethernet frame with IPv6, from here to DESTINATION_PORT. */
const NEXT_HEADER = ETHERNET_BYTES + 6;
const SOURCE_PORT = ETHERNET_BYTES + IPV6_BYTES;
const DESTINATION_PORT = SOURCE_PORT + 2;

/** Takes a frame whole or not at all: a filter that cuts a frame also hides its length. */
const VERDICTS: readonly FilterStep[] = [
  { at: 'take', take: true },
  { at: 'drop', take: false },
];

/**
 * Takes all frames except TCP over IPv6 from or to `tcpPorts`: a capture that is transferred there must not capture
 * itself.
 */
export function framesWithout(tcpPorts: readonly number[]): readonly FilterStep[] {
  return [
    { load: 'half', offset: 12 },
    { equal: ETHERTYPE.ipv6, no: 'take' },
    { load: 'byte', offset: NEXT_HEADER },
    { equal: IP_PROTOCOL.tcp, no: 'take' },
    { load: 'half', offset: SOURCE_PORT },
    ...dropped(tcpPorts),
    { load: 'half', offset: DESTINATION_PORT },
    ...dropped(tcpPorts),
    ...VERDICTS,
  ];
}

/**
 * Takes the VXLAN packets of a VNI over IPv4 (RFC 7348 §5), except those that carry TCP over IPv6 from or to `tcpPorts`.
 */
export function vxlanWithout(tcpPorts: readonly number[], vni: Vni): readonly FilterStep[] {
  const inner = ETHERNET_BYTES + VXLAN_BYTES;
  return [
    { load: 'half', offset: 12 },
    { equal: ETHERTYPE.ipv4, no: 'drop' },
    { load: 'byte', offset: ETHERNET_BYTES + 9 },
    { equal: IP_PROTOCOL.udp, no: 'drop' },
    { load: 'half', offset: ETHERNET_BYTES + 6 },
    { anyBit: FRAGMENT_OFFSET, yes: 'drop' },
    { headerLength: ETHERNET_BYTES },
    { load: 'half', offset: ETHERNET_BYTES + 2, indexed: true },
    { equal: VXLAN_PORT, no: 'drop' },
    { load: 'word', offset: ETHERNET_BYTES + 12, indexed: true },
    { shiftRight: 8 },
    { equal: vni, no: 'drop' },
    { load: 'half', offset: inner + 12, indexed: true },
    { equal: ETHERTYPE.ipv6, no: 'take' },
    { load: 'byte', offset: inner + NEXT_HEADER, indexed: true },
    { equal: IP_PROTOCOL.tcp, no: 'take' },
    { load: 'half', offset: inner + SOURCE_PORT, indexed: true },
    ...dropped(tcpPorts),
    { load: 'half', offset: inner + DESTINATION_PORT, indexed: true },
    ...dropped(tcpPorts),
    ...VERDICTS,
  ];
}

function dropped(ports: readonly number[]): FilterStep[] {
  return ports.map((port) => ({ equal: port, yes: 'drop' }));
}
