import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'packets refused from members of before the start',
  changes: [
    {
      kind: 'edit',
      symbol: 'Agent.#withKeptSources',
      find: 'sourcesOf(attachment.network, cache)',
      replace: '[]',
    },
    // What is on the disk lets the same members in.
    {
      kind: 'edit',
      symbol: 'LastKnown.load',
      find: 'this.#meshes =',
      replace: 'void',
    },
  ],
  catcher: 'storm',
  sign: /which no fault may cost; there were: .* killed/,
};
