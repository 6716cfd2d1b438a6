import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'a parser of frames imports the NICs of host0',
  changes: [{ kind: 'import', symbol: 'encodeDhcp', of: { symbol: 'bootNics' } }],
  catcher: 'architecture',
  sign: /a sub-folder imports only from the sub-folders that it may/,
};
