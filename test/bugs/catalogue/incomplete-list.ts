import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'an incomplete list removes members',
  changes: [
    {
      file: 'src/agent/membership/member-list.ts',
      find: '    const listed = new Set<Ipv6>();\n',
      replace: '    this.#members.clear();\n    const listed = new Set<Ipv6>();\n',
    },
  ],
  catcher: 'simulation',
};
