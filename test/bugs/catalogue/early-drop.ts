import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: "members dropped in host0's first nine seconds",
  changes: [
    {
      kind: 'edit',
      symbol: 'Heartbeats.of',
      find: 'this.#clock.nowMs()',
      replace: 'this.#clock.nowMs() - MEMBER_SILENCE_MS',
    },
  ],
  catcher: 'simulation',
};
