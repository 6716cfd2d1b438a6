/**
 * How long a boot may be silent before that is trouble. The times are in a table, because each number comes from some
 * firmware. Where boots of the same model succeeded, their times count instead: firmware that is slower than the table is not
 * called silent, and the silence of quick firmware is noticed sooner.
 */
import type { BootStage } from '../../protocol/documents/timeline-view.ts';

/** What a silent boot waits for: its stage, but after an offer the waits of iPXE and of firmware differ, and Alpine installs packages. */
export type Wait = Exclude<BootStage, 'mesh'> | 'ipxe offer' | 'installation';

/** How long each wait may take, in seconds, until the next stage begins. */
export const TABLE_SEC: Readonly<Record<Wait, number>> = {
  // A server answers at once.
  discover: 1,
  // OVMF collects offers for 4 s, and gets through a round with port 4011 in 2 s more.
  offer: 8,
  // iPXE waits 2 s for proxies after an offer, and up to 16 s for a router's IPv6 advertisement.
  'ipxe offer': 22,
  // A download of 200 kB, the start of iPXE, and the times that iPXE itself waits.
  tftp: 22,
  script: 5,
  // Counts from the end of the download. A download that stands still is noticed by its connection.
  kernel: 60,
  initrd: 60,
  overlay: 20,
  packages: 30,
  // From a package to the first report: the rest is unpacked, and OpenRC works out the order of its services. An emulated machine
  // needed 47 s.
  installation: 90,
  agent: 15,
};

/** All waits. */
export const WAITS = Object.keys(TABLE_SEC) as readonly Wait[];

/** The longest silence of each boot of one model, in milliseconds, by wait; the latest boot is the last. */
export type Silences = Readonly<Partial<Record<Wait, readonly number[]>>>;

/** How long one wait may take for one model. */
export interface OwnTime {
  readonly ms: number;
  readonly from: 'table' | 'learned';
  /** From how many boots it was learned. */
  readonly boots?: number;
}

/** Two slow boots are needed to wait longer than the table says: one may be an accident. */
const BOOTS_FOR_LONGER = 2;
/** The learned time is the second longest silence times this. */
const LONGER = 1.5;
/** More boots are needed to wait less than the table says, */
const BOOTS_FOR_SHORTER = 5;
/** and more reserve: the learned time is the longest silence times this. */
const SHORTER = 2;
/** The shortest learned time. Firmware whose request was lost asks again after four seconds. */
const LEAST_MS = 5_000;
/** A learned time counts only if it is at most this part of the table's time. */
const CLEARLY_SHORTER = 0.75;
/** A silence of more than this many times the table's time ended because a person repaired something. */
const MENDED = 4;

/** How long a wait may take, by the table or by what is known of the model. */
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

/** Whether a silence says something about the model. The wait for a DISCOVER's answer depends on the server instead. */
export function isTelling(wait: Wait, silenceMs: number): boolean {
  return wait !== 'discover' && silenceMs <= TABLE_SEC[wait] * 1000 * MENDED;
}
