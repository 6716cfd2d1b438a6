import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'a second thing exported as genid',
  changes: [{ kind: 'append', symbol: 'Backoff', text: '\n/** Twice. */\nexport const genid = 2;' }],
  catcher: 'architecture',
  sign: /an exported name stands for one thing/,
};
