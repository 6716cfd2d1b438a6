/**
 * How long a boot may be silent before that means something. A table, since every number is some firmware's; and, where
 * boots of one model came through, what these took. Firmware that is slower than the table is not called silent, and
 * firmware that is quick is missed sooner.
 */
import type { BootStage } from '../../protocol/documents/timeline-view.ts';

/** What a silent boot is in: its stage, where iPXE's own offer is another one than firmware's. */
export type Wait = Exclude<BootStage, 'mesh'> | 'ipxe offer';

/** Until the next stage begins, seconds, when nothing else is seen. */
export const TABLE_SEC: Readonly<Record<Wait, number>> = {
  // A server answers at once.
  discover: 1,
  // OVMF collects offers for 4 s, and gets through a round with port 4011 in 2 s more.
  offer: 8,
  // iPXE waits 2 s for proxies after an offer, and up to 16 s for a router's IPv6 advertisement.
  'ipxe offer': 22,
  // 200 kB, the start of iPXE, and what iPXE takes itself.
  tftp: 22,
  script: 5,
  // From when it is loaded on: a download that stands still is told by its connection.
  kernel: 60,
  initrd: 60,
  overlay: 20,
  packages: 30,
  agent: 15,
};

export const WAITS = Object.keys(TABLE_SEC) as readonly Wait[];

/** Milliseconds that boots of one model were silent for at the longest, each boot's once; the latest come last. */
export type Silences = Readonly<Partial<Record<Wait, readonly number[]>>>;

export interface OwnTime {
  readonly ms: number;
  readonly from: 'table' | 'learned';
  /** So many boots it was learned from. */
  readonly boots?: number;
}

/** One slow boot is an accident, two are a habit. */
const BOOTS_FOR_LONGER = 2;
const LONGER = 1.5;
/** To call a boot silent that the table would wait for takes more of them, and more room. */
const BOOTS_FOR_SHORTER = 5;
const SHORTER = 2;
/** Firmware whose question was lost asks again after four seconds. */
const LEAST_MS = 5_000;
/** Of the table's time; less of a difference is none. */
const CLEARLY_SHORTER = 0.75;
/** Of the table's time; what was silent for longer was mended by somebody. */
const MENDED = 4;

export function ownTime(wait: Wait, { [wait]: seen = [] }: Silences = {}): OwnTime {
  const tableMs = TABLE_SEC[wait] * 1000;
  const boots = seen.length;
  const [longest = 0, second = 0] = seen.toSorted((a, b) => b - a);
  if (boots >= BOOTS_FOR_LONGER && second * LONGER > tableMs) return { ms: second * LONGER, from: 'learned', boots };
  const shorter = Math.max(longest * SHORTER, LEAST_MS);
  if (boots >= BOOTS_FOR_SHORTER && shorter <= tableMs * CLEARLY_SHORTER)
    return { ms: shorter, from: 'learned', boots };
  return { ms: tableMs, from: 'table' };
}

/** Whether a boot's longest silence tells anything of its model. Who answers a DISCOVER, and when, is not the model's doing. */
export function isTelling(wait: Wait, silenceMs: number): boolean {
  return wait !== 'discover' && silenceMs <= TABLE_SEC[wait] * 1000 * MENDED;
}
