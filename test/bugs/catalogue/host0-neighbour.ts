import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: "host0's neighbour not cleared",
  changes: [
    {
      file: 'src/agent/desired.ts',
      find: 'member.ipv6 !== host0Address || host0Answers',
      replace: 'member.ipv6 !== host0Address || host0Answers || true',
    },
    {
      file: 'src/agent/node-source.ts',
      find: "await this.#input.kernel.apply([{ do: 'neighbour-delete', link, address }]);",
      replace: 'void [link, address];',
    },
  ],
  catcher: 'simulation',
};
