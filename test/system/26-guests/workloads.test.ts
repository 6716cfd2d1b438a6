/** Virtual machines on two nodes of a lab: started by host0's command, in a network that is made where they are, found again after faults. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { netnsPath } from '../../../src/kernel/netns.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { parseIpv4 } from '../../../src/model/address/ipv4.ts';
import { parseMac } from '../../../src/model/address/mac.ts';
import { MeshError } from '../../../src/model/error.ts';
import type { Workload } from '../../../src/model/workload/workload.ts';
import { host0Client } from '../../../src/protocol/calls/control-client.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import type { WorkloadView } from '../../../src/protocol/documents/workload/workload-view.ts';
import { findMark, isRunning, type ProcessMark } from '../../../src/services/process/process-mark.ts';
import { inside } from '../../kit/namespaces.ts';
import { guestCommandLine, type SmallGuest, smallGuest } from '../../kit/small-guest/small-guest.ts';
import { noDrift } from '../drift.ts';
import { forAllTests } from '../for-all-tests.ts';
import { until } from '../until.ts';

/** A guest is ready after two seconds, and its neighbour answers a second later. */
const GUEST_MS = 40_000;
/** host0 and nodes know of a change at once; a node that lost its channel is back within three seconds. */
const KNOWN_MS = 25_000;

const GUESTS = {
  one: { mac: '02:00:00:00:0a:01', address: '10.44.0.1', linkLocal: 'fe80::ff:fe00:a01' },
  two: { mac: '02:00:00:00:0a:02', address: '10.44.0.2', linkLocal: 'fe80::ff:fe00:a02' },
} as const;
type GuestName = keyof typeof GUESTS;
const other = (name: GuestName): GuestName => (name === 'one' ? 'two' : 'one');

const shared = forAllTests();
let lab: Lab;
let guest: SmallGuest;
const nodeOf: Record<GuestName, LabHost> = {} as Record<GuestName, LabHost>;

beforeAll(async () => {
  guest = await smallGuest();
  lab = shared.use(await Lab.up({ name: `guests-${process.pid}`, nodes: 2, segments: 1 }));
  nodeOf.one = lab.host('node1');
  nodeOf.two = lab.host('node2');
  const { code, stderr } = await lab.exec(lab.host('host0'), ['mesh', 'network', 'create', 'blue']);
  if (code !== 0) throw new Error(stderr);
}, 300_000);

const client = () => host0Client(pathsBelow(lab.host('host0').root));

function workloadOf(name: GuestName): Workload {
  const { mac, address } = GUESTS[name];
  const { address: far, linkLocal } = GUESTS[other(name)];
  const append = guestCommandLine(guest, {
    name,
    addresses: [['eth0', `${address}/24`]],
    pings: [far, `${linkLocal}%eth0`],
  });
  return {
    name,
    uuid: `guest-${name}`,
    memoryBytes: 112 * 1024 * 1024,
    cpu: { threads: 1, mode: 'host' },
    volumes: [],
    networks: [
      {
        ...{ id: 'lan', network: 'blue', mac: parseMac(mac), model: 'virtio' },
        addresses: [{ address: parseIpv4(address), length: 24 }],
      },
    ],
    console: { serial: true, vnc: false },
    firmware: 'bios',
    restart: 'on-failure',
    place: { kind: 'any' },
    boot: { kernel: guest.kernel, initrd: guest.initrd, append },
  };
}

const viewOf = (name: GuestName): Promise<WorkloadView> => client().ask('GET /v1/workloads/{name}', { path: { name } });

/** Waits until host0 shows the workload as running, with this many restarts. */
async function running(name: GuestName, restarts = 0): Promise<ProcessMark> {
  let seen: unknown;
  try {
    const pid = await until(`${name} runs`, GUEST_MS, async () => {
      const view = await viewOf(name).catch((error: unknown) => {
        // host0 was killed, and is not there again yet.
        if (error instanceof MeshError && error.code === 'MESH_NOT_RUNNING') return undefined;
        throw error;
      });
      seen = view;
      return view?.state === 'running' && view.run?.restarts === restarts && view.run.pid;
    });
    const mark = findMark(pid);
    if (mark === undefined) throw new Error(`the process ${pid} is gone`);
    return mark;
  } catch (cause) {
    throw new Error(`${cause}: ${JSON.stringify(seen)}`, { cause });
  }
}

const vmsOf = ({ root }: LabHost) => join(pathsBelow(root).run, 'vm');

/** What the guest has said on its console. */
async function consoleOf(name: GuestName): Promise<string> {
  const { id } = await viewOf(name);
  const file = join(pathsBelow(nodeOf[name].root).logs, 'workloads', `${id}.console.log`);
  return existsSync(file) ? readFileSync(file, 'latin1') : '';
}

/** Waits until both guests have seen each other at both addresses, `times` times. */
async function talk(times = 1): Promise<void> {
  for (const name of ['one', 'two'] as const) {
    const { address, linkLocal } = GUESTS[other(name)];
    for (const there of [address, `${linkLocal}%eth0`]) {
      await until(`${name} hears ${there}`, GUEST_MS, async () => {
        const said = await consoleOf(name);
        return said.split(`guest: ${there} answers`).length > times;
      });
    }
  }
}

/** How often the guests have missed each other. */
async function silences(): Promise<number> {
  const said = await Promise.all([consoleOf('one'), consoleOf('two')]);
  return said.join('').split('is silent').length - 1;
}

function linksOf(host: LabHost): readonly string[] {
  const text = inside(netnsPath(host.netns), 'ip', '-br', 'link');
  return text.split('\n').map((line) => line.split(/[\s@]/)[0] ?? '');
}

/** The devices of blue and the taps of guests. */
const guestLinks = (host: LabHost) => linksOf(host).filter((link) => /^(?:(?:vxlan|br)1001|v[0-9a-f]+)$/.test(link));

test('a guest on each of two nodes: the network is made where they are, and they reach each other', async () => {
  for (const name of ['one', 'two'] as const) {
    expect(guestLinks(nodeOf[name])).toEqual([]);
    const node = nodeOf[name].name;
    const order = { path: { name }, body: { node, workload: workloadOf(name) } };
    // A member opens its channel a moment after it has joined.
    await until(`${node} can be given ${name}`, KNOWN_MS, () =>
      client()
        .ask('POST /v1/workloads/{name}/start', order)
        .catch((error: unknown) => {
          if (error instanceof MeshError && error.code === 'MESH_NODE_UNKNOWN') return undefined;
          throw error;
        }),
    );
  }
  await running('one');
  await running('two');
  await talk();
  for (const name of ['one', 'two'] as const) {
    expect(guestLinks(nodeOf[name])).toEqual(
      expect.arrayContaining(['vxlan1001', 'br1001', expect.stringMatching(/^v[0-9a-f]+$/)]),
    );
    const { run } = await viewOf(name);
    expect(run).toMatchObject({ accelerator: expect.stringMatching(/^(kvm|tcg)$/) });
  }
}, 240_000);

test.each([
  ['the agents of both nodes', ['node1', 'node2'], 'agent'],
  ['host0', ['host0'], 'host0'],
] as const)(
  'kill -9 of %s: the guests go on, and are found again',
  async (_, hosts, daemon) => {
    const before = [await running('one'), await running('two')];
    const missed = await silences();
    for (const name of hosts) await lab.stop(lab.host(name), daemon, 'SIGKILL');
    for (const name of hosts) lab.start(lab.host(name), daemon);
    await lab.ready({ deadlineMs: KNOWN_MS });
    expect([await running('one'), await running('two')]).toEqual(before);
    expect(await silences()).toBe(missed);
    await noDrift(lab.hosts);
  },
  240_000,
);

test('a killed emulator starts again by its policy, and the guest is reached again', async () => {
  const mark = await running('one');
  process.kill(mark.pid, 'SIGKILL');
  const again = await running('one', 1);
  expect(again.pid).not.toBe(mark.pid);
  await until(
    'the guest hears its neighbour',
    GUEST_MS,
    async () => (await consoleOf('one')).split(`guest: ${GUESTS.two.address} answers`).length > 2,
  );
}, 240_000);

test('a guest that is stopped switches itself off; what is deleted leaves nothing', async () => {
  const marks = [await running('one', 1), await running('two')];
  await client().ask('POST /v1/workloads/{name}/stop', { path: { name: 'one' } });
  await until('one is stopped', GUEST_MS, async () => (await viewOf('one')).state === 'stopped');
  await client().ask('DELETE /v1/workloads/{name}', { path: { name: 'one' } });
  await client().ask('DELETE /v1/workloads/{name}', { path: { name: 'two' }, query: { force: true } });
  for (const host of [nodeOf.one, nodeOf.two]) {
    await until(
      `nothing is left on ${host.name}`,
      KNOWN_MS,
      () => guestLinks(host).length === 0 && readdirSync(vmsOf(host)).length === 0,
    );
    expect(readdirSync(join(pathsBelow(host.root).state, 'workloads'))).toEqual([]);
    expect(readdirSync(join(host.root, 'run/pxen'))).toEqual([]);
  }
  expect(marks.filter(isRunning)).toEqual([]);
  await noDrift(lab.hosts);
}, 240_000);
