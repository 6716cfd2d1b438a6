/** A virtual machine goes to another node with its disks, as host0 is asked for. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { host0Client } from '../../../src/protocol/calls/control-client.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import type { WorkloadView } from '../../../src/protocol/documents/workload/workload-view.ts';
import { workloadNamed } from '../../kit/workloads.ts';
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

const client = () => host0Client(pathsBelow(lab.host('host0').root));
const path = { name: 'box' };
const is = (state: WorkloadView['state'], node: string) =>
  until(`box is ${state} on ${node}`, DONE_MS, async () => {
    const now = await client().ask('GET /v1/workloads/{name}', { path });
    return now.state === state && now.node === node;
  });
/** A guest that is held still is not asked to switch itself off. */
async function started(node: string): Promise<void> {
  await client().ask('POST /v1/workloads/{name}/start', { path, body: {} });
  await is('running', node);
  await client().ask('POST /v1/workloads/{name}/pause', { path });
  await is('paused', node);
}
async function stopped(node: string): Promise<void> {
  await client().ask('POST /v1/workloads/{name}/stop', { path });
  await is('stopped', node);
}
const moves = (node: string) => client().ask('POST /v1/workloads/{name}/move', { path, body: { node, force: false } });
const disk = ({ root }: LabHost) => join(pathsBelow(root).volumes, 'box.qcow2');
const qemuIo = (host: LabHost, command: string) =>
  execFileSync('qemu-io', ['-f', 'qcow2', '-c', command, disk(host)], { encoding: 'utf8' });

test('its disk goes with a workload, from a node to another and to host0, with what was written and the image below', async () => {
  const [host0, one, two] = [lab.host('host0'), lab.host('node1'), lab.host('node2')];
  const isos = join(pathsBelow(host0.root).host0, 'isos');
  mkdirSync(isos, { recursive: true });
  writeFileSync(join(isos, 'box.img'), Buffer.alloc(MIB, 'an image\0'));
  const box = workloadNamed('box', {
    ...{ memoryBytes: 64 * MIB, networks: [], place: { kind: 'node', node: 'node1' } },
    volumes: [{ id: 'root', type: 'qcow2', path: 'box.qcow2', source: 'isos/box.img' }],
  });
  await client().ask('PUT /v1/workloads', { body: box });
  await started('node1');
  await stopped('node1');
  qemuIo(one, 'write -P 170 100k 200k');
  await started('node1');
  await moves('node2');
  await is('paused', 'node2');
  await until('node1 has removed its disk', DONE_MS, async () => !existsSync(disk(one)));
  // One that is stopped goes as it is, and on from a node where it was not started.
  await stopped('node2');
  await moves('host0');
  await is('stopped', 'host0');
  await moves('node1');
  await is('stopped', 'node1');
  await started('node1');
  await stopped('node1');
  expect(qemuIo(one, 'read -P 170 100k 200k')).not.toContain('failed');
  await until('only node1 has a disk', DONE_MS, async () => ![two, host0].some((host) => existsSync(disk(host))));
  const arrivals = ({ root }: LabHost) => readdirSync(join(pathsBelow(root).volumes, '../arrivals'));
  expect([one, two, host0].map(arrivals)).toEqual([[], [], []]);
}, 240_000);
