/** How benchmarks are run: their progress, their interruption, and pairs with a yardstick. */
import type { Measurement } from './measurement.ts';

/** What a benchmark is given. */
export interface Run {
  /** Aborted by Ctrl-C: the benchmark then throws soon, and removes what it made. */
  readonly signal: AbortSignal;
  /** Prints what is being done now. */
  readonly stage: (what: string) => void;
}

/** Long, because the start of a benchmark's lab is not measured. */
export const LAB_DEADLINE_MS = 60_000;

/** Measures one subject; rejects if it was interrupted or failed. */
export type Benchmark = (run: Run) => Promise<Measurement[]>;

/**
 * Runs `ours` and `theirs` one after the other, `count` times. Every other pair begins with `theirs`, so that a change of
 * the machine's load affects both alike.
 */
export async function interleaved<Ours, Theirs>(
  { signal, stage }: Run,
  count: number,
  what: string,
  ours: () => Promise<Ours> | Ours,
  theirs: () => Promise<Theirs> | Theirs,
): Promise<[Ours, Theirs][]> {
  const pairs: [Ours, Theirs][] = [];
  for (let pair = 0; pair < count; pair++) {
    signal.throwIfAborted();
    stage(`${what}: pair ${pair + 1} of ${count}`);
    if (pair % 2 === 0) {
      const mine = await ours();
      signal.throwIfAborted();
      pairs.push([mine, await theirs()]);
    } else {
      const yardstick = await theirs();
      signal.throwIfAborted();
      pairs.push([await ours(), yardstick]);
    }
  }
  return pairs;
}

/** Waits for a promise that may never settle; rejects when the run is to stop. */
export async function unlessStopped<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = () => reject(signal.reason);
  signal.addEventListener('abort', stop);
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
