import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'a moved member not noted',
  changes: [
    {
      file: 'src/agent/membership/member-list.ts',
      find: '    else this.#put(key, event.member);',
      replace: "    else if (event.type === 'join') this.#put(key, event.member);",
    },
  ],
  catcher: 'simulation',
};
