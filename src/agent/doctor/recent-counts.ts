/**
 * How much counters of the kernel have grown lately. The kernel counts since boot, and a finding from such a count would
 * stay when its cause has been remedied.
 */
import type { Clock } from '../../model/clock.ts';

/** What counters have counted, by name. */
export type Counts = Readonly<Record<string, number>>;

interface Sample {
  readonly atMs: number;
  readonly counts: Counts;
}

/** Two audits of the agent, which samples are taken at. */
const RECENT_MS = 120_000;

/** Remembers the samples of the last two minutes. */
export class RecentCounts {
  readonly #clock: Clock;
  /** The oldest first. The first one is the only one that may be older than two minutes. */
  #samples: Sample[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes the present counts up. */
  take(counts: Counts): void {
    const nowMs = this.#clock.nowMs();
    this.#samples.push({ atMs: nowMs, counts });
    const firstRecent = this.#samples.findIndex(({ atMs }) => atMs > nowMs - RECENT_MS);
    this.#samples = this.#samples.slice(Math.max(0, firstRecent - 1));
  }

  /** The growth of a counter in the last two minutes, up to `now`. A counter that became smaller began at 0 again. */
  growth(name: string, now: number): number {
    const before = this.#samples[0]?.counts[name] ?? 0;
    return now < before ? now : now - before;
  }
}
