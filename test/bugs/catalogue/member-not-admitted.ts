import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'a member that the packet filter does not know',
  changes: [
    {
      file: 'src/agent/desired/desired.ts',
      find: 'part.sources = new Set(part.senders.keys()).union(new Set(keptSources));',
      replace: 'part.sources = new Set([...part.senders.keys()].slice(0, 1)).union(new Set(keptSources));',
    },
  ],
  catcher: 'simulation',
};
