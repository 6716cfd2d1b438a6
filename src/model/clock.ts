/** Time comes from outside, so that a cluster of hundreds of agents can run on a simulated clock. */

export interface Alarm {
  cancel(): void;
}

export interface Clock {
  /** Milliseconds on a clock that never jumps. */
  nowMs(): number;
  /** Wall time, for people and journals only. */
  wallTime(): Date;
  /** Calls `ring` once, `delayMs` from now. A pending alarm does not keep the process alive. */
  after(delayMs: number, ring: () => void): Alarm;
}

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  wallTime: () => new Date(),
  after(delayMs, ring) {
    const timer = setTimeout(ring, delayMs).unref();
    return { cancel: () => clearTimeout(timer) };
  },
};
