/** How long tests wait for what takes milliseconds: the longer, the busier the machine is. */
import { availableParallelism, loadavg } from 'node:os';

/** On a machine with more work than this, a deadline becomes no longer: a test must end. */
const SHARERS_MAX = 6;
const PATIENCE_MS = 30_000;

/** How many processes share a processor of this machine, by the last minute: at least one, at most six. */
export function sharers(): number {
  const [ofLastMinute = 0] = loadavg();
  return Math.min(SHARERS_MAX, Math.max(1, ofLastMinute / availableParallelism()));
}

/** For `vi.waitFor`, and for `expect.poll` (vitest.config.ts, once for a run): an awaited event may take a hundred times as long on a busy machine. */
export const PATIENCE = {
  get timeout(): number {
    return PATIENCE_MS * sharers();
  },
  interval: 50,
};
