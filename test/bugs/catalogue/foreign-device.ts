import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: "somebody else's device taken for ours",
  changes: [
    {
      file: 'src/agent/kernel/observed.ts',
      find: 'marked ?? (link.group === OUR_LINK_GROUP ? wantedByName.get(link.name) : undefined)',
      replace: 'marked ?? wantedByName.get(link.name)',
    },
  ],
  catcher: 'storm',
  sign: /refuses the network|of somebody else on/,
};
