/**
 * Tells of changes, so that a thousand machines that boot together do not cost each of them a thousand messages: the
 * first change is told at once, and those of the next moment together when it is over. A moment is at least as long as
 * the telling took: a write to a socket costs some ten microseconds, and with thousands of listeners host0 would be busy
 * with nothing else.
 */
import type { Alarm, Clock } from '../../model/clock.ts';

/** Nobody notices 20 ms more until the second of two members that join together is reached. */
export const MOMENT_MS = 20;

export class CoalescingBroadcaster<T> {
  readonly #clock: Clock;
  readonly #tell: (changes: readonly T[]) => void;
  #waiting: T[] = [];
  #moment: Alarm | undefined;

  constructor(clock: Clock, tell: (changes: readonly T[]) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  add(change: T): void {
    this.#waiting.push(change);
    if (this.#moment === undefined) this.#tellAll();
  }

  close(): void {
    this.#moment?.cancel();
    this.#waiting = [];
  }

  #tellAll(): void {
    const startMs = this.#clock.nowMs();
    const changes = this.#waiting;
    this.#waiting = [];
    this.#tell(changes);
    // What was written goes to the sockets when this is over, and an alarm that is due at once rings after that.
    this.#moment = this.#clock.after(0, () => {
      const tookMs = this.#clock.nowMs() - startMs;
      this.#moment = this.#clock.after(Math.max(MOMENT_MS - tookMs, tookMs), () => {
        this.#moment = undefined;
        if (this.#waiting.length > 0) this.#tellAll();
      });
    });
  }
}
