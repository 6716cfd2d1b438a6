/** A virtual machine goes to another node with its disks, by the commands of host0. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { host0Client } from '../../../src/protocol/calls/control-client.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import type { WorkloadView } from '../../../src/protocol/documents/workload/workload-view.ts';
import { forAllTests } from '../for-all-tests.ts';
import { until } from '../until.ts';

/** An emulator without a guest starts in a second; the disks have some hundred kilobytes. */
const DONE_MS = 40_000;
const MIB = 1024 * 1024;

const shared = forAllTests();
let lab: Lab;

beforeAll(async () => {
  lab = shared.use(await Lab.up({ name: `move-${process.pid}`, nodes: 2, segments: 1 }));
}, 300_000);

async function mesh(...words: readonly string[]): Promise<void> {
  const { code, stderr } = await lab.exec(lab.host('host0'), ['mesh', 'workload', ...words]);
  if (code !== 0) throw new Error(`${words.join(' ')}: ${stderr}`);
}

const view = (): Promise<WorkloadView> =>
  host0Client(pathsBelow(lab.host('host0').root)).ask('GET /v1/workloads/{name}', { path: { name: 'box' } });
const is = (state: WorkloadView['state'], node: string) =>
  until(`box is ${state} on ${node}`, DONE_MS, async () => {
    const now = await view();
    return now.state === state && now.node === node;
  });
const disk = ({ root }: LabHost) => join(pathsBelow(root).volumes, 'box.qcow2');
const qemuIo = (host: LabHost, command: string) =>
  execFileSync('qemu-io', ['-f', 'qcow2', '-c', command, disk(host)], { encoding: 'utf8' });

test('its disk goes with a workload, from a node to another and to host0, with what was written and the image below', async () => {
  const { root } = lab.host('host0');
  const [one, two] = [lab.host('node1'), lab.host('node2')];
  const image = join(pathsBelow(root).host0, 'isos/box.img');
  execFileSync('mkdir', ['-p', join(image, '..')]);
  writeFileSync(image, Buffer.alloc(MIB, 'an image\0'));
  const file = join(root, 'box.conf');
  const lines = [
    ...['name=box', 'uuid=uuid-box', 'platform.memory.size=64M', 'platform.place=node1'],
    ...[
      'platform.volume.root.type=qcow2',
      'platform.volume.root.path=box.qcow2',
      'platform.volume.root.source=isos/box.img',
    ],
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  await mesh('create', file);
  await mesh('start', '-w', 'box');
  // A guest that is held still is not asked to switch itself off.
  await mesh('pause', '-w', 'box');
  await mesh('stop', '-w', 'box');
  expect(qemuIo(one, 'write -P 170 100k 200k')).toContain('wrote');
  await mesh('start', '-w', 'box');
  await mesh('pause', '-w', 'box');
  await mesh('move', 'box', 'node2', '--no-wait');
  await is('paused', 'node2');
  await until('node1 has removed its disk', DONE_MS, async () => !existsSync(disk(one)));
  const arrivals = (host: LabHost) => readdirSync(join(pathsBelow(host.root).volumes, '../arrivals'));
  expect(arrivals(two)).toEqual([]);
  // One that is stopped goes on as it is, and twice before it is started.
  await mesh('stop', '-w', 'box');
  await mesh('move', 'box', 'host0');
  await mesh('move', 'box', 'node1');
  await is('stopped', 'node1');
  await mesh('start', '-w', 'box');
  await mesh('pause', '-w', 'box');
  await mesh('stop', '-w', 'box');
  expect(qemuIo(one, 'read -P 170 100k 200k')).not.toContain('failed');
  expect([disk(two), disk(lab.host('host0'))].map((path) => existsSync(path))).toEqual([false, false]);
  expect([one, two, lab.host('host0')].map(arrivals)).toEqual([[], [], []]);
}, 240_000);
