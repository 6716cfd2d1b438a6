import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'entries deleted before their owners are known',
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
