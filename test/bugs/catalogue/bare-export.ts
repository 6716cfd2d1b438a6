import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'an export without a docstring',
  changes: [{ kind: 'append', symbol: 'parseIpv4', text: '\nexport const UNSAID = 1;' }],
  catcher: 'architecture',
  sign: /every export has a docstring/,
};
