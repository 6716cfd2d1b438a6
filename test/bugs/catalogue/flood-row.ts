import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'a flood row forgotten',
  changes: [
    {
      file: 'src/agent/desired/mesh-items.ts',
      find: "    { ...row, table: 'self', mac: FLOOD_MAC, destination, state: 'permanent' },\n",
      replace: '',
    },
  ],
  catcher: 'simulation',
};
