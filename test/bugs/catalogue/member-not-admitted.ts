import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'a member that the packet filter does not know',
  changes: [
    {
      file: 'src/agent/desired.ts',
      find: '[...members.map((member) => member.ipv4), ...keptSources]',
      replace: '[...members.slice(0, 1).map((member) => member.ipv4), ...keptSources]',
    },
  ],
  catcher: 'simulation',
};
