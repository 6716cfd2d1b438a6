import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'packets refused from members of before the start',
  changes: [
    {
      file: 'src/agent/agent.ts',
      find: 'const keptSources = this.#keptSources.get(id) ?? sourcesOf(attachment.network, cache);',
      replace: 'const keptSources = this.#keptSources.get(id) ?? sourcesOf(attachment.network, cache).slice(0, 0);',
    },
  ],
  catcher: 'storm',
  sign: /which no fault may cost; there were: .* killed/,
};
