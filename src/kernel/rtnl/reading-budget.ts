/**
 * How much of a process's time the reading of kernel events may take. Any machine in a mesh can make the kernel send
 * events, by frames from ever new addresses. When the process reads no more, the kernel drops events, and says so.
 */

/** The share of the time that may be spent. Heartbeats, answers and passes of the loop need the rest. */
const SHARE = 0.25;
/** What may be spent at once: the events of 500 new networks take 50 ms. */
const BURST_MS = 250;

/** A leaky bucket of milliseconds. */
export class ReadingBudget {
  #spentMs = 0;
  #atMs = 0;

  /** Notes that reading has taken `costMs` until now. @returns how long to pause before the next reading; 0 for not */
  spend(costMs: number, nowMs: number): number {
    const leakedMs = (nowMs - this.#atMs) * SHARE;
    this.#spentMs = Math.max(0, this.#spentMs - leakedMs) + costMs;
    this.#atMs = nowMs;
    return Math.max(0, this.#spentMs - BURST_MS) / SHARE;
  }
}
