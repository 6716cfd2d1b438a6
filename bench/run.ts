/** What a benchmark is given: a way to say where it is, and to hear that it is to stop. */
import type { Measurement } from './measurement.ts';

export interface Run {
  /** Aborted by Ctrl-C: a benchmark throws soon, and takes away what it made. */
  readonly signal: AbortSignal;
  /** Says what is being done now. */
  readonly stage: (what: string) => void;
}

/** A lab of a benchmark may take its time: what is measured comes after. */
export const LAB_DEADLINE_MS = 60_000;

export type Benchmark = (run: Run) => Promise<Measurement[]>;

/**
 * Does ours and theirs one after the other, `count` times. Every other pair begins with theirs, so that what befalls the
 * machine meanwhile befalls both alike.
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

/** As `setTimeout` of node:timers/promises, for a promise that may never settle: rejects when the run is to stop. */
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
