import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: "host0's neighbour not cleared",
  changes: [
    {
      kind: 'edit',
      symbol: 'memberParts',
      find: '!host0Answers',
      replace: 'false',
    },
    {
      kind: 'edit',
      symbol: 'NodeSource.#forgetHost0',
      find: "{ do: 'neighbour-delete', link, address }",
      replace: '',
    },
  ],
  catcher: 'simulation',
};
