import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'rows cleared away before it is known whose they are',
  changes: [
    {
      file: 'src/agent/agent.ts',
      find: "        return this.source.settled(item.network);\n      case 'route'",
      replace: "        return true;\n      case 'route'",
    },
  ],
  catcher: 'simulation',
};
