import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'an incomplete list removes members',
  changes: [
    {
      kind: 'edit',
      symbol: 'MemberList.#list',
      find: 'const listed =',
      replace: 'this.#members.clear(); const listed =',
    },
  ],
  catcher: 'simulation',
};
