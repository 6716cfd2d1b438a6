import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'routes that vanish without a word not missed',
  changes: [
    {
      file: 'src/agent/reconciler.ts',
      find: 'if (this.#losesRoutes(event)) this.#routesStale = true;',
      replace: '',
    },
  ],
  catcher: 'storm',
};
