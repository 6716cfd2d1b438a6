import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'entries cleared away before it is known whose they are',
  changes: [
    {
      kind: 'edit',
      symbol: 'Agent.#mayDelete',
      find: 'this.source.settled(item.network)',
      replace: 'true',
    },
  ],
  catcher: 'simulation',
};
