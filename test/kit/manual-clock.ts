/** A clock that stands still until a test moves it. */
import { setImmediate as runEventLoop } from 'node:timers/promises';
import type { Alarm, Clock } from '../../src/model/clock.ts';

interface Pending {
  readonly atMs: number;
  readonly ring: () => void;
}

/** Starts at 0 ms, 1 January 2030 UTC; alarms ring while `pass` runs, in the order of their times. */
export class ManualClock implements Clock {
  #nowMs = 0;
  readonly #pending = new Set<Pending>();

  nowMs(): number {
    return this.#nowMs;
  }

  wallTime(): Date {
    return new Date(Date.UTC(2030, 0, 1) + this.#nowMs);
  }

  after(delayMs: number, ring: () => void): Alarm {
    const pending = { atMs: this.#nowMs + Math.max(0, delayMs), ring };
    this.#pending.add(pending);
    return { cancel: () => this.#pending.delete(pending) };
  }

  /** Lets `ms` pass, alarm by alarm. Work that an alarm starts is finished before the next alarm rings. */
  async pass(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await runEventLoop();
    for (let next = this.#next(endMs); next !== undefined; next = this.#next(endMs)) {
      this.#pending.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.ring();
      await runEventLoop();
    }
    this.#nowMs = endMs;
  }

  #next(endMs: number): Pending | undefined {
    let first: Pending | undefined;
    for (const pending of this.#pending) {
      if (pending.atMs <= endMs && (first === undefined || pending.atMs < first.atMs)) first = pending;
    }
    return first;
  }
}
