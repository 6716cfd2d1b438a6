import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'an epoch ignored',
  changes: [
    {
      file: 'src/controller/membership/membership-log.ts',
      find: 'seen.epoch !== now.epoch || ',
      replace: '',
    },
  ],
  catcher: 'simulation',
};
