import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'a word of a shell without quotes',
  changes: [
    {
      kind: 'edit',
      symbol: 'measureInflow',
      find: "shellWords(['timeout', String(seconds), 'nc', to.member.ipv6, String(port)])",
      replace: 'to.member.name',
    },
  ],
  catcher: 'architecture',
  sign: /the lines of a shell: text gets in by one way/,
};
