import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'a flood entry forgotten',
  changes: [
    {
      kind: 'edit',
      symbol: 'memberItems',
      find: "{ ...entry, table: 'self', mac: FLOOD_MAC, remoteVtep, state: 'permanent' }",
      replace: '...[]',
    },
  ],
  catcher: 'simulation',
};
