import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'packets refused from members of before the start',
  changes: [
    {
      file: 'src/agent/agent.ts',
      find: 'if (destination !== undefined && isIpv4(destination)) keptSources.push(destination);',
      replace: 'if (destination !== undefined && isIpv4(destination)) keptSources.length = 0;',
    },
  ],
  catcher: 'storm',
};
