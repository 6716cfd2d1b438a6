import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'the model imports the journal',
  changes: [{ kind: 'import', symbol: 'MeshError', of: { symbol: 'Journal' } }],
  catcher: 'architecture',
  sign: /a room imports only from the rooms that it may/,
};
