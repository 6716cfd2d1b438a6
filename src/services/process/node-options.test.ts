/** All who start the daemons start them with the same options. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { nodeOptionsOf } from './node-options.ts';

test('init on a node starts the agent with the options of all daemons', () => {
  const script = readFileSync(new URL('../../image/node/scripts/agent', import.meta.url), 'utf8');
  expect(script).toContain(`./node ${nodeOptionsOf('agent').join(' ')} dist/agent.mjs`);
});
