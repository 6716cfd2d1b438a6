/** Time as a component gets it: from outside, so that tests can run hundreds of agents on a simulated clock. */

/** A pending call of `Clock.after`. */
export interface Alarm {
  /** Does nothing once the alarm has rung. */
  cancel(): void;
}

/** All time that a component may know. */
export interface Clock {
  /** Milliseconds on a clock that never jumps. */
  nowMs(): number;
  /** Wall time, for people and journals only. */
  wallTime(): Date;
  /** Calls `ring` once, `delayMs` from now. A pending alarm does not keep the process alive. */
  after(delayMs: number, ring: () => void): Alarm;
}

/** The clock of the running process. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  wallTime: () => new Date(),
  after(delayMs, ring) {
    const timer = setTimeout(ring, delayMs).unref();
    return { cancel: () => clearTimeout(timer) };
  },
};
