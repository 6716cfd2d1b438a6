import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: "host0's neighbour not cleared",
  changes: [
    {
      file: 'src/agent/desired/desired.ts',
      find: 'const asked = ipv6 === host0Ipv6 && !host0Answers;',
      replace: 'const asked = false && ipv6 === host0Ipv6 && !host0Answers;',
    },
    {
      file: 'src/agent/membership/node-source.ts',
      find: "await this.#input.kernel.apply([{ do: 'neighbour-delete', link, address }]);",
      replace: 'void [link, address];',
    },
  ],
  catcher: 'simulation',
};
