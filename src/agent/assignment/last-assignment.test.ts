/** The last assignment on a real disk: what a restart finds, also when the disk refuses any one of the writes. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { meshNumber } from '../../../test/kit/networks.ts';
import { PATIENCE } from '../../../test/kit/patience.ts';
import { type StateText, textOnDisk } from '../../disk/state-file.ts';
import { MeshError } from '../../model/error.ts';
import type { Network } from '../../model/network/network.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { readNodeAssignment } from '../../protocol/shapes/node-assignment-shape.ts';
import { type AssignedObjects, NOTHING_ASSIGNED, withAssignment } from './assigned-objects.ts';
import { assignmentOnDisk, LastAssignment } from './last-assignment.ts';

const [blue, red] = [meshNumber(0), meshNumber(1)];

/** `peer` is the machine of the only peer of each network. */
function assigned(before: AssignedObjects, revision: number, networks: readonly Network[], peer = '10eff964') {
  const peers = [{ machine: peer, name: 'node1', underlay: '10.11.1.2', macs: [] }];
  const attachments = networks.map((network) => ({
    network,
    reasons: ['port'],
    peers: { kind: 'assigned', peers },
    services: [],
  }));
  const ports = [{ id: '1', network: blue.id, link: 'tap0' }];
  const document = { format: 1, epoch: 'a', revision, attachments, ports, workloads: [], segments: [], nics: [] };
  return withAssignment(before, readNodeAssignment(JSON.stringify(document)));
}

/** A directory; `open` gives the files in it as a process finds them, which may write `writes` times. */
function disk() {
  const directory = mkdtempSync(join(tmpdir(), 'mesh-assigned-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const clock = new ManualClock();
  const left = { writes: Number.POSITIVE_INFINITY, made: 0 };
  const text = (path: string): StateText => {
    const file = textOnDisk(path);
    const write = async (content: string) => {
      if (left.made++ >= left.writes) throw new MeshError('MESH_DISK_REFUSED', 'no space left', { object: path });
      await file.write(content);
    };
    return { ...file, write };
  };
  const onDisk = assignmentOnDisk(directory, text);
  const open = () => new LastAssignment({ clock, journal: new Journal(clock, 'agent', 'node1'), disk: onDisk });
  return { directory, clock, left, open };
}

async function restart(open: () => LastAssignment): Promise<AssignedObjects> {
  return open().load();
}

test('a restart finds the networks, peers and ports of the last assignment, with its version', async () => {
  const { open, directory } = disk();
  const objects = assigned(NOTHING_ASSIGNED, 7, [blue, red]);
  await open().keep(objects);
  expect(await restart(open)).toEqual(objects);
  expect(readdirSync(join(directory, 'assigned'))).toEqual([`${blue.id}.json`, `${red.id}.json`]);
});

test('a network that is gone leaves the disk, and an unchanged one is not written again', async () => {
  const { open, directory, left } = disk();
  const last = open();
  const before = assigned(NOTHING_ASSIGNED, 7, [blue, red]);
  await last.keep(before);
  left.made = 0;
  await last.keep(assigned(before, 8, [blue]));
  expect(left.made).toBe(1);
  expect(readdirSync(join(directory, 'assigned'))).toEqual([`${blue.id}.json`]);
  expect((await restart(open)).version).toEqual({ epoch: 'a', revision: 8 });
});

test('peers are written within half a second, after five changes every ten seconds, and before the agent ends', async () => {
  const { open, clock, left } = disk();
  const last = open();
  const before = assigned(NOTHING_ASSIGNED, 7, [blue]);
  await last.keep(before);
  left.made = 0;
  let now = before;
  for (const [at, peer] of ['20eff961', '20eff962', '20eff963', '20eff964', '20eff965'].entries()) {
    now = assigned(now, 8 + at, [blue], peer);
    await last.keep(now);
    await clock.pass(499);
    expect(left.made).toBe(2 * at);
    await clock.pass(1);
    await vi.waitFor(() => expect(left.made).toBe(2 * at + 2), PATIENCE);
  }
  const moved = assigned(now, 13, [blue], '20eff966');
  await last.keep(moved);
  await clock.pass(7_499);
  expect(left.made).toBe(10);
  await clock.pass(1);
  await last.close();
  expect(await restart(open)).toEqual(moved);
  const again = assigned(moved, 14, [blue], '30eff964');
  await last.keep(again);
  await last.close();
  expect(await restart(open)).toEqual(again);
});

test('on a full disk the older assignment stays and is told; the newer is written when there is room', async () => {
  const { open, clock, left } = disk();
  const last = open();
  const before = assigned(NOTHING_ASSIGNED, 7, [blue]);
  await last.keep(before);
  left.writes = 0;
  const after = assigned(before, 8, [blue, red]);
  await last.keep(after);
  expect(last.kept).toBe(false);
  expect(last.findings).toMatchObject([
    { code: 'MESH_DISK_REFUSED', message: expect.stringContaining('would not survive a restart') },
  ]);
  expect(await restart(open)).toEqual(before);
  left.writes = Number.POSITIVE_INFINITY;
  await clock.pass(60_000);
  await last.close();
  expect(last.findings).toEqual([]);
  expect(await restart(open)).toEqual(after);
});

test('a cut after any of the writes loses no network that both assignments have', async () => {
  for (let writes = 0; writes < 4; writes++) {
    const { open, left } = disk();
    const last = open();
    const before = assigned(NOTHING_ASSIGNED, 7, [blue]);
    await last.keep(before);
    left.made = 0;
    left.writes = writes;
    await last.keep(assigned(before, 8, [blue, red], '20eff964'));
    const found = await restart(open);
    expect([...found.networks.keys()], `after ${writes} writes`).toContain(blue.id);
    expect(found.networks.has(red.id), `after ${writes} writes`).toBe(writes > 1);
    expect(found.version?.revision).toBe(writes > 2 ? 8 : 7);
  }
});
