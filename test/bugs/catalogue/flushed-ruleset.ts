import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: "everybody's rules flushed with ours",
  changes: [
    {
      file: 'src/agent/items/ruleset.ts',
      find: "create: (item) => [{ do: 'nft', script: rulesetScript(item) }]",
      replace: "create: (item) => [{ do: 'nft', script: 'flush ruleset\\n' + rulesetScript(item) }]",
    },
  ],
  catcher: 'storm',
  sign: /drift of \w+: .*nft:/,
};
