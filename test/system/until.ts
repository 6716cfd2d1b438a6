/** Waits for a condition by checking it again and again, the more rarely the longer a check takes. */
import { setTimeout as sleep } from 'node:timers/promises';

/** A look is a command more often than not. It must not keep a processor busy that the awaited event needs. */
const PAUSE_MS = { shortest: 20, perLook: 2, longest: 1_000 };

/**
 * Resolves with the result of `look` as soon as it is neither undefined nor false.
 * @param what names the condition in the error
 * @param deadlineMs five times the time that an idle machine needs
 * @throws Error after the deadline
 */
export async function until<T>(
  what: string,
  deadlineMs: number,
  look: () => T | undefined | false | Promise<T | undefined | false>,
): Promise<T> {
  const giveUpAt = performance.now() + deadlineMs;
  for (;;) {
    const beganMs = performance.now();
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    const nowMs = performance.now();
    if (nowMs > giveUpAt) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await sleep(Math.min(PAUSE_MS.longest, Math.max(PAUSE_MS.shortest, PAUSE_MS.perLook * (nowMs - beganMs))));
  }
}
