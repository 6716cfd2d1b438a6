/** The digest of the tree differs where another tree would make other networks or machines. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import { restoreBackup, takeBackup } from '../store-backup.ts';
import { LeadingTree, leadingTree, TreeDigest, treeFault } from './tree-digest.ts';

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

test('another host0 with another tree must not lead, and is told the way out; the one that led last may', async () => {
  const store = new MemoryStore();
  const at = tree();
  const leading = new LeadingTree({ store, clock: new ManualClock(), tree: at, name: 'rack1' });
  onTestFinished(() => leading.close());
  const faultOf = (name: string, digest: string) => treeFault(store, { digest, tree: at, name });
  const edited = '0123456789abcdef';
  expect(await faultOf('rack2', edited)).toBeUndefined();
  await leading.follow();
  expect(await faultOf('rack2', await new TreeDigest(at).read())).toBeUndefined();
  expect(await faultOf('rack1', edited)).toBeUndefined();
  const why = await faultOf('rack2', edited);
  expect(why).toContain('of rack1');
  const key = /`etcdctl del (\S+)`/.exec(why ?? '')?.[1] ?? '';
  await store.txn([], [{ delete: key }]);
  expect(await faultOf('rack2', edited)).toBeUndefined();
});

test('a copy of the store says nothing of trees', async () => {
  const store = new MemoryStore();
  const leading = new LeadingTree({ store, clock: new ManualClock(), tree: tree(), name: 'rack1' });
  onTestFinished(() => leading.close());
  await leading.follow();
  const now = await leadingTree(store);
  const copy = await takeBackup(store, new Date(0));
  expect(copy.entries).toEqual([]);
  const [entry] = (await store.range('/v1/host0-tree')).entries;
  if (entry === undefined) throw new Error('the digest was kept');
  const old = { ...copy, entries: [{ key: entry.key, value: '{"digest":"0123456789abcdef","host0":"rack9"}' }] };
  await restoreBackup(store, old);
  expect(await leadingTree(store)).toEqual(now);
});
