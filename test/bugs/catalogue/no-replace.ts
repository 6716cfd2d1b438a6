import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'an add without replace',
  changes: [
    {
      kind: 'edit',
      symbol: 'REQUEST',
      in: 'kernel',
      find: 'NLM_F_CREATE | NLM_F_REPLACE',
      replace: 'NLM_F_CREATE',
    },
  ],
  catcher: 'storm',
  sign: /no answer: /,
};
