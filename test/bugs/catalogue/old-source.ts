import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'a changed IPv4 not used as the source address',
  changes: [
    {
      kind: 'edit',
      symbol: 'NodeSource.#lookAtUnderlay',
      find: 'now.local ?? this.#underlay?.local',
      replace: 'this.#underlay?.local ?? now.local',
    },
  ],
  catcher: 'simulation',
};
