/**
 * The frame with which a scan finds out which of host0's NICs share a segment. It is an ARP probe (RFC 5227 §1.1: sender
 * 0.0.0.0, so that no host learns from it) for an address that no host has (203.0.113.0/24, RFC 5737). The padding, which a
 * frame of 60 bytes has anyway, carries the scan and the number of the NIC that sent it. So no NIC is mistaken for another,
 * whatever their names and number.
 */
import { ARP_FRAME_BYTES, encodeArpProbe } from '../../kernel/sockets/arp.ts';
import { ETHERTYPE } from '../../kernel/sockets/ethernet.ts';
import type { FilterStep } from '../../kernel/sockets/packet-filter.ts';
import { ipv4FromBytes } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';

/** What the padding of a probe says. */
export interface ScanProbe {
  /** A random id: tells scans apart, also those of two host0s. */
  readonly scan: bigint;
  /** The sending NIC: its index in the list of the scan. */
  readonly nic: number;
}

const FRAME_BYTES = 60;
const TRAILER_AT = ARP_FRAME_BYTES;
const MAGIC = 0x4d577363;
const TARGETS = 254;

/** A packet filter that takes scan probes and no other frame. */
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

/** Encodes a probe as a whole Ethernet frame. @param mac the sending NIC's */
export function encodeScanProbe(mac: Mac, { scan, nic }: ScanProbe): Buffer {
  const frame = encodeArpProbe(mac, ipv4FromBytes(Uint8Array.of(203, 0, 113, (nic % TARGETS) + 1)), FRAME_BYTES);
  const trailer = frame.subarray(TRAILER_AT);
  trailer.writeUInt32BE(MAGIC, 0);
  trailer.writeBigUInt64BE(scan, 4);
  trailer.writeUInt32BE(nic, 12);
  return frame;
}

/** Decodes a captured frame. @returns undefined for any frame that is not a probe */
export function decodeScanProbe(frame: Buffer): ScanProbe | undefined {
  if (frame.length < TRAILER_AT + 16 || frame.readUInt16BE(12) !== ETHERTYPE.arp) return undefined;
  if (frame.readUInt32BE(TRAILER_AT) !== MAGIC) return undefined;
  return { scan: frame.readBigUInt64BE(TRAILER_AT + 4), nic: frame.readUInt32BE(TRAILER_AT + 12) };
}
