/** Simulated time: it stands still while code runs, and then jumps to the next alarm. */
import { setImmediate as pass } from 'node:timers/promises';
import type { Alarm, Clock } from '../../src/model/clock.ts';

interface Pending {
  readonly atMs: number;
  /** Of two alarms for the same time, the one that was set first rings first. */
  readonly order: number;
  ring: (() => void) | undefined;
}

/** A power of two, so that sums of times are exact: a waiter must not wake just before the moment that it waits for. */
const TICKS_PER_MS = 1024;

/** The clock of a whole cluster, with a heap of alarms. It starts at 0 ms. */
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

  /** Runs to `untilMs`. All microtasks that an alarm sets off end before the next alarm rings. */
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
 * The clock of one process. A process waits for alarms of this clock only. So a killed process does nothing more, and a
 * stopped one does everything later.
 */
export class ProcessClock implements Clock {
  readonly #clock: SimClock;
  #dead = false;
  #stoppedUntilMs = 0;
  /** The error of the machine's wall clock. */
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

  /** Resolves after `delayMs`; never if the process is killed before. */
  pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.after(delayMs, resolve);
    });
  }

  /** As `pause`, for data from the network: a process that continues after a stop handles its timers first. */
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
