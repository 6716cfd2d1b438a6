import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'an overflow of kernel events not noticed',
  changes: [
    {
      kind: 'edit',
      symbol: 'readWaiting',
      find: "'overflow') complete = false",
      replace: "'overflow') complete = true",
    },
  ],
  catcher: 'storm',
  sign: /notes an overflow/,
};
