import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'members dropped in the first nine seconds of host0',
  changes: [
    {
      file: 'src/controller/membership/pulses.ts',
      find: 'heardMs: this.#clock.nowMs(), since',
      replace: 'heardMs: this.#clock.nowMs() - MEMBER_SILENCE_MS, since',
    },
  ],
  catcher: 'simulation',
};
