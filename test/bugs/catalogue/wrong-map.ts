import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'a wrong line in the map of the source',
  changes: [
    { kind: 'document', file: 'CONTRIBUTING.md', find: '| `kernel/` | rtnetlink', replace: '| `kernel/` | ioctl' },
  ],
  catcher: 'architecture',
  sign: /the map is the table of rooms/,
};
