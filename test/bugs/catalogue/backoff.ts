import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'a step that failed never tried again',
  changes: [
    {
      file: 'src/agent/loop/backoff.ts',
      find: 'const dueMs = this.#clock.nowMs() + waitMs;',
      replace: 'const dueMs = this.#clock.nowMs() + waitMs / 0;',
    },
  ],
  catcher: 'simulation',
};
