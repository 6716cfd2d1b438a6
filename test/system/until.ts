/** Waits for a condition by checking it again and again, the more rarely the longer a check takes. */
import { setTimeout as sleep } from 'node:timers/promises';
import { sharers } from '../kit/patience.ts';

/** A look is a command more often than not. It must not keep a processor busy that the awaited event needs: a fifth at most. */
const PAUSE_MS = { shortest: 25, perLook: 4, longest: 1_000 };

/**
 * Resolves with the result of `look` as soon as it is neither undefined nor false.
 * @param what names the condition in the error
 * @param deadlineMs five times the time that an idle machine needs. On a busy machine everything gets its share of the
 * processors only, and has so much more time.
 * @throws Error after the deadline
 */
export async function until<T>(
  what: string,
  deadlineMs: number,
  look: () => T | undefined | false | Promise<T | undefined | false>,
): Promise<T> {
  const startMs = performance.now();
  for (;;) {
    const beganMs = performance.now();
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    const nowMs = performance.now();
    const waitedMs = nowMs - startMs;
    if (waitedMs > deadlineMs && waitedMs > deadlineMs * sharers())
      throw new Error(`not within ${Math.round(waitedMs)} ms: ${what}`);
    await sleep(Math.min(PAUSE_MS.longest, Math.max(PAUSE_MS.shortest, PAUSE_MS.perLook * (nowMs - beganMs))));
  }
}
