import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'packets refused from members known before the start',
  changes: [
    {
      kind: 'edit',
      symbol: 'KeptSources.addTo',
      find: 'sourcesOf(attachment.network, cache)',
      replace: '[]',
    },
    // The members on disk would also be admitted: do not read them.
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
