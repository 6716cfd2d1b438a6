import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'flushed rules not noticed',
  changes: [
    {
      kind: 'edit',
      symbol: 'Reconciler.#onKernelEvent',
      find: 'this.#rulesets.noteForeignChange()',
      replace: 'return',
    },
  ],
  catcher: 'storm',
  sign: /nft list table inet meshwork/,
};
