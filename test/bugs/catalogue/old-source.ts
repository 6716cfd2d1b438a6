import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'a changed IPv4 not taken for the source',
  changes: [
    {
      file: 'src/agent/membership/node-source.ts',
      find: 'const local = now.local ?? this.#underlay?.local;',
      replace: 'const local = this.#underlay?.local ?? now.local;',
    },
  ],
  catcher: 'simulation',
};
