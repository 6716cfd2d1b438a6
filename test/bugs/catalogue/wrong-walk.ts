import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'a walk through the source that leaves out a file',
  changes: [
    {
      kind: 'document',
      file: 'CONTRIBUTING.md',
      find: '17. `kernel/rtnl/request.ts` makes a message of each operation.\n',
      replace: '',
    },
  ],
  catcher: 'architecture',
  sign: /each file hands on to the next/,
};
