/** Waits for a condition by checking it again and again. */
import { setTimeout as sleep } from 'node:timers/promises';

const LOOK_AGAIN_MS = 20;

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
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    if (performance.now() > giveUpAt) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await sleep(LOOK_AGAIN_MS);
  }
}
