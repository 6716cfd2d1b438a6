/** Waiting for something to become true, by looking again and again. */
import { setTimeout as sleep } from 'node:timers/promises';

const LOOK_AGAIN_MS = 20;

/**
 * Resolves with what `look` gives as soon as that is neither undefined nor false.
 * @param deadlineMs five times what is expected of an idle machine
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
