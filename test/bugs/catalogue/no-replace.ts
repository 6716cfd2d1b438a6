import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'an add without replace',
  changes: [
    {
      file: 'src/kernel/rtnl/fdb.ts',
      find: "'fdb-replace': [RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE],",
      replace: "'fdb-replace': [RTM_NEWNEIGH, NLM_F_CREATE],",
    },
  ],
  catcher: 'storm',
  sign: /no answer: /,
};
