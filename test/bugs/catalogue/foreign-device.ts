import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'a foreign device taken for ours',
  changes: [
    {
      kind: 'edit',
      symbol: 'ownLinksAmong',
      find: 'link.group === OUR_LINK_GROUP',
      replace: 'true',
    },
  ],
  catcher: 'storm',
  sign: /refuses the network|of somebody else on/,
};
