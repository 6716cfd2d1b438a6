/**
 * How much of a process's time the reading of kernel events may take. Any machine in a mesh can make the kernel send
 * events, by frames from ever new addresses. When the process reads no more, the kernel drops events, and says so.
 */

/** The share of a processor that may be spent. Heartbeats, answers and passes of the loop need the rest. */
const SHARE = 0.25;
/** Processor time that may be spent at once: the events of 500 new networks take 50 ms. */
const BURST_MS = 250;
/** A change of the kernel is seen after such a pause at the latest, so what was overspent is forgotten. */
const PAUSE_MAX_MS = 1_000;

/** A leaky bucket of processor time. */
export class ReadingBudget {
  #spentMs = 0;
  #atMs = 0;

  /**
   * Notes that reading has taken processor time until now.
   * @returns how long to pause before the next reading; 0 for not
   */
  spend(costMs: number, nowMs: number): number {
    const leakedMs = (nowMs - this.#atMs) * SHARE;
    this.#spentMs = Math.min(Math.max(0, this.#spentMs - leakedMs) + costMs, BURST_MS + PAUSE_MAX_MS * SHARE);
    this.#atMs = nowMs;
    return Math.max(0, this.#spentMs - BURST_MS) / SHARE;
  }

  /** Runs `read`, and notes the processor time of this thread: on a busy machine, more time passes. @returns the pause */
  measure(read: () => void): number {
    const before = process.threadCpuUsage();
    read();
    const { user, system } = process.threadCpuUsage(before);
    return this.spend((user + system) / 1000, performance.now());
  }
}
