import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'no audit after lost events',
  changes: [
    {
      kind: 'edit',
      symbol: 'Reconciler.#onKernelEvent',
      find: 'this.#journal.overflow();\n      this.#schedule.soon();',
      replace: '',
    },
  ],
  catcher: 'simulation',
};
