import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'a member missing in the packet filter',
  changes: [
    {
      kind: 'edit',
      symbol: 'DesiredItems.#updateMesh',
      find: 'part.senders.keys()',
      replace: '[...part.senders.keys()].slice(0, 1)',
    },
  ],
  catcher: 'simulation',
};
