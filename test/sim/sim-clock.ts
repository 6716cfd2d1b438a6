/** Simulated time: it stands still while anything runs, and then jumps to the next alarm. */
import { setImmediate as pass } from 'node:timers/promises';
import type { Alarm, Clock } from '../../src/model/clock.ts';

interface Pending {
  readonly atMs: number;
  /** Of two at the same time, the one that was set first rings first. */
  readonly order: number;
  ring: (() => void) | undefined;
}

/** A power of two, so that sums of times are exact: whoever waits until a moment must not wake just before it. */
const TICKS_PER_MS = 1024;

export class SimClock implements Clock {
  readonly #heap: Pending[] = [];
  #nowMs = 0;
  #order = 0;
  /** How many alarms have rung. */
  rung = 0;

  nowMs(): number {
    return this.#nowMs;
  }

  wallTime(): Date {
    return new Date(Date.UTC(2030, 0, 1) + this.#nowMs);
  }

  after(delayMs: number, ring: () => void): Alarm {
    const atMs = Math.ceil((this.#nowMs + Math.max(0, delayMs)) * TICKS_PER_MS) / TICKS_PER_MS;
    const pending: Pending = { atMs, order: this.#order++, ring };
    this.#push(pending);
    return {
      cancel: () => {
        pending.ring = undefined;
      },
    };
  }

  /** Runs to `untilMs`. What an alarm sets off gets to its end (all microtasks) before the next one rings. */
  async run(untilMs: number): Promise<void> {
    await pass();
    for (let next = this.#heap[0]; next !== undefined && next.atMs <= untilMs; next = this.#heap[0]) {
      this.#pop();
      const { ring } = next;
      if (ring === undefined) continue;
      this.#nowMs = next.atMs;
      this.rung++;
      ring();
      await pass();
    }
    this.#nowMs = untilMs;
  }

  #push(pending: Pending): void {
    const heap = this.#heap;
    let at = heap.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !before(pending, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = pending;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      const right = heap[child + 1];
      let below = heap[child];
      if (below === undefined) break;
      if (right !== undefined && before(right, below)) {
        child++;
        below = right;
      }
      if (!before(below, last)) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = last;
  }
}

function before(a: Pending, b: Pending): boolean {
  return a.atMs === b.atMs ? a.order < b.order : a.atMs < b.atMs;
}

/**
 * The clock of one process. All that a process waits for is one of these alarms, so that a killed process does nothing
 * more and a stopped one does everything later.
 */
export class ProcessClock implements Clock {
  readonly #clock: SimClock;
  #dead = false;
  #stoppedUntilMs = 0;
  /** How far the wall clock is off. */
  wallOffsetMs = 0;

  constructor(clock: SimClock) {
    this.#clock = clock;
  }

  get dead(): boolean {
    return this.#dead;
  }

  nowMs(): number {
    return this.#clock.nowMs();
  }

  wallTime(): Date {
    return new Date(this.#clock.wallTime().getTime() + this.wallOffsetMs);
  }

  after(delayMs: number, ring: () => void): Alarm {
    let alarm: Alarm;
    const late = () => {
      if (this.#dead) return;
      const waitMs = this.#stoppedUntilMs - this.#clock.nowMs();
      if (waitMs > 0) alarm = this.#clock.after(waitMs, late);
      else ring();
    };
    alarm = this.#clock.after(delayMs, late);
    return { cancel: () => alarm.cancel() };
  }

  /** Resolves when `delayMs` have passed; never in a process that is killed before. */
  pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.after(delayMs, resolve);
    });
  }

  /** As `pause`, for what comes from the network: a process that goes on after a stop sees to its timers first. */
  async arrival(delayMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#clock.after(delayMs, resolve);
    });
    await this.pause(this.#stoppedUntilMs > this.#clock.nowMs() ? this.#stoppedUntilMs - this.#clock.nowMs() + 0.5 : 0);
  }

  /** SIGSTOP, and SIGCONT after `durationMs`. */
  stop(durationMs: number): void {
    this.#stoppedUntilMs = Math.max(this.#stoppedUntilMs, this.#clock.nowMs() + durationMs);
  }

  kill(): void {
    this.#dead = true;
  }
}
