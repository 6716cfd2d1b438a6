/**
 * Tells of changes, so that a thousand machines that boot together do not cost each of them a thousand messages: the
 * first change is told at once, and those of the next moment together when it is over.
 */
import type { Alarm, Clock } from '../model/clock.ts';

/** Nobody notices 20 ms more until the second of two members that join together is reached. */
const MOMENT_MS = 20;

export class Announcements<T> {
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

  /** Tells now of what waits: whoever comes next begins with the present state. */
  flush(): void {
    const changes = this.#waiting;
    this.#waiting = [];
    if (changes.length > 0) this.#tell(changes);
  }

  close(): void {
    this.#moment?.cancel();
    this.#waiting = [];
  }

  #tellAll(): void {
    this.#moment = this.#clock.after(MOMENT_MS, () => {
      this.#moment = undefined;
      if (this.#waiting.length > 0) this.#tellAll();
    });
    this.flush();
  }
}
