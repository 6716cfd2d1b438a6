import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'lost events not made up for',
  changes: [
    {
      file: 'src/agent/loop/reconciler.ts',
      find: '      void this.audit();\n      return;',
      replace: '      return;',
    },
  ],
  catcher: 'simulation',
};
