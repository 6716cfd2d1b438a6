import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'a failed step never retried',
  changes: [
    {
      kind: 'edit',
      symbol: 'Backoff.#put',
      find: 'nowMs() + waitMs',
      replace: 'nowMs() + waitMs / 0',
    },
  ],
  catcher: 'simulation',
};
