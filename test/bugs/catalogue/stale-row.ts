import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'a stale row kept',
  changes: [
    {
      file: 'src/agent/membership/member-list.ts',
      find: "if (event.type === 'leave') this.#remove(key);",
      replace: "if (event.type === 'leave') return;",
    },
  ],
  catcher: 'simulation',
};
