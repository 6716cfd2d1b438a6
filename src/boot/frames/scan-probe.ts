/**
 * What a scan sends from port to port: an ARP probe (RFC 5227 §1.1: sender 0.0.0.0, so that nobody learns from it) for an
 * address that nobody has (203.0.113.0/24, RFC 5737). Which scan and which port it is of stands in the padding that a
 * frame of 60 bytes has anyway: no port is mistaken for another, however they are called and however many there are.
 */
import { BROADCAST_MAC, ETHERNET_BYTES, ETHERTYPE, encodeEthernet } from '../../kernel/sockets/ethernet.ts';
import type { FilterStep } from '../../kernel/sockets/packet-filter.ts';
import { type Mac, macToBytes } from '../../model/address/mac.ts';

export interface ScanProbe {
  /** Tells scans apart, also of two host0s. */
  readonly scan: bigint;
  readonly port: number;
}

const FRAME_BYTES = 60;
const TRAILER_AT = 42;
const MAGIC = 0x4d577363;
/** Ethernet, IPv4, 6 and 4 bytes, request. */
const ARP_REQUEST = Buffer.from('0001080006040001', 'hex');
const TARGETS = 254;

/** Frames that carry a probe, and no other ARP. */
export const SCAN_FILTER: readonly FilterStep[] = [
  { load: 'half', offset: 12 },
  { equal: ETHERTYPE.arp, no: 'drop' },
  { load: 'half', offset: TRAILER_AT },
  { equal: MAGIC >>> 16, no: 'drop' },
  { load: 'half', offset: TRAILER_AT + 2 },
  { equal: MAGIC & 0xffff, no: 'drop' },
  { take: true },
  { at: 'drop', take: false },
];

export function encodeScanProbe(mac: Mac, { scan, port }: ScanProbe): Buffer {
  const arp = Buffer.alloc(FRAME_BYTES - ETHERNET_BYTES);
  ARP_REQUEST.copy(arp);
  arp.set(macToBytes(mac), 8);
  arp.set([203, 0, 113, (port % TARGETS) + 1], 24);
  const trailer = arp.subarray(TRAILER_AT - ETHERNET_BYTES);
  trailer.writeUInt32BE(MAGIC, 0);
  trailer.writeBigUInt64BE(scan, 4);
  trailer.writeUInt32BE(port, 12);
  return encodeEthernet({ from: mac, to: BROADCAST_MAC, type: ETHERTYPE.arp }, arp);
}

/** @returns undefined for any other frame */
export function decodeScanProbe(frame: Buffer): ScanProbe | undefined {
  if (frame.length < TRAILER_AT + 16 || frame.readUInt16BE(12) !== ETHERTYPE.arp) return undefined;
  if (frame.readUInt32BE(TRAILER_AT) !== MAGIC) return undefined;
  return { scan: frame.readBigUInt64BE(TRAILER_AT + 4), port: frame.readUInt32BE(TRAILER_AT + 12) };
}
