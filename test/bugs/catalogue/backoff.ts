import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'a step that failed never tried again',
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
