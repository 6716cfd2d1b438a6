import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'a flood row forgotten',
  changes: [
    {
      kind: 'edit',
      symbol: 'memberItems',
      find: "{ ...row, table: 'self', mac: FLOOD_MAC, destination, state: 'permanent' }",
      replace: '...[]',
    },
  ],
  catcher: 'simulation',
};
