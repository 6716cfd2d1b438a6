import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'an overflow of kernel events not noticed',
  changes: [
    {
      file: 'src/kernel/rtnl/monitor.ts',
      find: "if (received === 'overflow') complete = false;",
      replace: "if (received === 'overflow') complete = true;",
    },
  ],
  catcher: 'storm',
  sign: /notes an overflow/,
};
