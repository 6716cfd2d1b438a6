import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: "everybody's rules flushed with ours",
  changes: [
    {
      file: 'src/agent/items/ruleset.ts',
      find: 'return `${name} {}\\ndelete ${name}\\n${name}',
      replace: 'return `flush ruleset\\n${name}',
    },
  ],
  catcher: 'storm',
};
