import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'the plan imports the loop that makes plans',
  changes: [{ kind: 'import', symbol: 'plan', in: 'agent', of: { symbol: 'Reconciler' } }],
  catcher: 'architecture',
  sign: /no files import each other in a circle/,
};
