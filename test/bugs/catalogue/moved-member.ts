import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'a moved member not noted',
  changes: [
    {
      kind: 'edit',
      symbol: 'MemberList.apply',
      find: 'else this.#put',
      replace: "else if (event.type === 'join') this.#put",
    },
  ],
  catcher: 'simulation',
};
