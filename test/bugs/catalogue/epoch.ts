import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'an epoch ignored',
  changes: [
    {
      kind: 'edit',
      symbol: 'MembershipLog.since',
      find: 'seen.epoch !== now.epoch',
      replace: 'false',
    },
  ],
  catcher: 'simulation',
};
