/**
 * Announces changes in groups, so that a thousand machines that boot together do not cause a thousand writes to each of
 * them. The first change is announced at once. The changes of the next moment are announced together, when the moment is
 * over. A moment is at least as long as the last announcement took: a write to a socket costs some ten microseconds, and
 * with thousands of listeners host0 would do nothing else.
 */
import type { Alarm, Clock } from '../../model/clock.ts';

/** The shortest moment: of two members that join together, the second is reachable at most 20 ms later. */
export const MOMENT_MS = 20;

/** Collects changes and hands them on in groups. */
export class CoalescingBroadcaster<T> {
  readonly #clock: Clock;
  readonly #tell: (changes: readonly T[]) => void;
  #waiting: T[] = [];
  #moment: Alarm | undefined;

  /** @param tell is called with each group, in the order of the changes */
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
    // The written bytes go to the sockets after this call, and an alarm without delay rings after that.
    this.#moment = this.#clock.after(0, () => {
      const tookMs = this.#clock.nowMs() - startMs;
      this.#moment = this.#clock.after(Math.max(MOMENT_MS - tookMs, tookMs), () => {
        this.#moment = undefined;
        if (this.#waiting.length > 0) this.#tellAll();
      });
    });
  }
}
