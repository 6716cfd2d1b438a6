import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: "other programs' rules flushed with ours",
  changes: [
    {
      kind: 'edit',
      symbol: 'rulesetKind',
      find: 'rulesetScript(item)',
      replace: "'flush ruleset\\n' + rulesetScript(item)",
    },
  ],
  catcher: 'storm',
  sign: /drift of \w+: .*nft:/,
};
