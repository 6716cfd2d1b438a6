/** A clock for tests that wait until a component loses its patience with a real server. */
import { type Clock, systemClock } from '../../src/model/clock.ts';

/** Twenty times as fast as the system's. */
export const HASTY_CLOCK: Clock = {
  ...systemClock,
  nowMs: () => systemClock.nowMs() * 20,
  after: (delayMs, ring) => systemClock.after(delayMs / 20, ring),
};
