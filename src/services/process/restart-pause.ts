/** How long a process that ends by itself waits for its next start: a bounded number of starts, however often it ends. */

/** The pause before the second start; it doubles with each failure. */
const FIRST_MS = 500;
const LONGEST_MS = 30_000;
/** A process that has run for this long was well started: its next end counts as the first failure. */
export const WELL_MS = 10_000;

/** The pauses of one process. */
export class RestartPause {
  #failures = 0;
  #dueMs = 0;

  /** Notes that the process has ended by itself, or could not be started. */
  failed(nowMs: number, ranMs: number): void {
    if (ranMs >= WELL_MS) this.#failures = 0;
    this.#dueMs = nowMs + Math.min(LONGEST_MS, FIRST_MS * 2 ** this.#failures);
    this.#failures++;
  }

  /** How long the next start must wait; 0 when it need not. */
  waitMs(nowMs: number): number {
    return Math.max(0, this.#dueMs - nowMs);
  }

  /** The process shall run in another way than before: it may start at once. */
  reset(): void {
    this.#failures = 0;
    this.#dueMs = 0;
  }
}
