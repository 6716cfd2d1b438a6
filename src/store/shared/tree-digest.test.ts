/** The digest of the tree differs where another tree would make other networks or machines. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import { LeadingTree, leadingTree, TreeDigest } from './tree-digest.ts';

function tree(): string {
  const directory = mkdtempSync(join(tmpdir(), 'mw-tree-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  mkdirSync(join(directory, 'network'));
  mkdirSync(join(directory, 'hooks'));
  writeFileSync(join(directory, 'network/manage.conf'), 'name=manage\n');
  writeFileSync(join(directory, 'hooks/owner-created'), '#!/bin/sh\n');
  return directory;
}

test('equal trees have one digest, wherever they are; host0.conf does not count', async () => {
  const [one, other] = [tree(), tree()];
  writeFileSync(join(other, 'host0.conf'), 'segment_ports="eth7"\n');
  expect(await new TreeDigest(one).read()).toBe(await new TreeDigest(other).read());
});

test.each<[string, (tree: string) => void]>([
  ['another content', (at) => writeFileSync(join(at, 'network/manage.conf'), 'name=other\n')],
  ['another name', (at) => writeFileSync(join(at, 'network/blue.conf'), '')],
  ['a file less', (at) => rmSync(join(at, 'network/manage.conf'))],
  ['a hook that runs', (at) => chmodSync(join(at, 'hooks/owner-created'), 0o755)],
])('%s is another digest', async (_, change) => {
  const at = tree();
  const digest = new TreeDigest(at);
  const before = await digest.read();
  change(at);
  expect(await digest.read()).not.toBe(before);
});

test('the leader keeps its digest in the store', async () => {
  const store = new MemoryStore();
  expect(await leadingTree(store)).toBeUndefined();
  const at = tree();
  const leading = new LeadingTree({ store, clock: new ManualClock(), tree: at, name: 'rack1' });
  onTestFinished(() => leading.close());
  await leading.follow();
  expect(await leadingTree(store)).toEqual({ digest: await new TreeDigest(at).read(), host0: 'rack1' });
  expect(leading.health()).toEqual([]);
});
