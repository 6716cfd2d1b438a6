import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'flushed rules not noticed',
  changes: [
    {
      file: 'src/agent/loop/reconciler.ts',
      find: "if (event.type === 'nft' && !event.echo) this.#rulesets.invalidate();",
      replace: "if (event.type === 'nft') return;",
    },
  ],
  catcher: 'storm',
  sign: /nft list table inet meshwork/,
};
