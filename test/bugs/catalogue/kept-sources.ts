import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'packets refused from members of before the start',
  changes: [
    {
      file: 'src/agent/agent.ts',
      find: 'const keptSources = this.#keptSources.get(id) ?? sourcesOf(attachment.network, cache);',
      replace: 'const keptSources = this.#keptSources.get(id) ?? sourcesOf(attachment.network, cache).slice(0, 0);',
    },
    // What is on the disk lets the same members in.
    {
      file: 'src/agent/membership/last-known.ts',
      find: 'if (this.#text !== undefined) this.#meshes = parse(this.#text);',
      replace: 'if (this.#text !== undefined) parse(this.#text);',
    },
  ],
  catcher: 'storm',
  sign: /which no fault may cost; there were: .* killed/,
};
