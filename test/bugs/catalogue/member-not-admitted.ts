import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'a member missing in the packet filter',
  changes: [
    {
      kind: 'edit',
      symbol: 'memberParts',
      find: '[sourceElement(network, member.ipv4)]',
      replace: "member.ipv4.endsWith('.1') ? [sourceElement(network, member.ipv4)] : []",
    },
  ],
  catcher: 'simulation',
};
