import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'lost events not made up for',
  changes: [
    {
      kind: 'edit',
      symbol: 'Reconciler.#onKernelEvent',
      find: 'void this.audit();',
      replace: '',
    },
  ],
  catcher: 'simulation',
};
