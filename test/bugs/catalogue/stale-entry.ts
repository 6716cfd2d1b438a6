import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'a stale entry kept',
  changes: [
    {
      kind: 'edit',
      symbol: 'MemberList.apply',
      find: 'this.#remove(key)',
      replace: 'return',
    },
  ],
  catcher: 'simulation',
};
