/** How the members of the etcd of a lab are found. That they work is in test/system. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startUnsupervised } from '../../services/process/process-start.ts';
import { killAll } from './host-process.ts';
import { StoreMembers } from './store-members.ts';
import { planTopology } from './topology.ts';

test('members are found by their records, also without the namespace of host0', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'mw-members-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const [host0] = planTopology({ name: 'records', nodes: 1, segments: 1, store: 'etcd' }).hosts;
  if (host0 === undefined) throw new RangeError('a lab has host0');
  const members = new StoreMembers({ ...host0, root: join(directory, 'host0') }, directory);
  expect(members.processes).toEqual([]);
  const started = ['etcd1', 'etcd3'].map((name) => {
    const spec = { name, title: name, argv: ['sleep', '600'] as const };
    return startUnsupervised(spec, join(directory, 'etcd'), (_path, fork) => fork());
  });
  onTestFinished(() => killAll(started));
  expect(members.processes.map(({ pid }) => pid)).toEqual(started.map(({ pid }) => pid));
  await killAll(started);
  expect(members.processes).toEqual([]);
});
