/** A node takes assignments, keeps them, tells how each object is, and what it refuses. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { meshNumber, storeNetwork } from '../../../test/kit/networks.ts';
import { PATIENCE } from '../../../test/kit/patience.ts';
import { textOnDisk } from '../../disk/state-file.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { MachineId } from '../../model/machine.ts';
import type { Network } from '../../model/network/network.ts';
import type { NetworkState } from '../../protocol/documents/membership.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import type { LocalPort, PortState } from './assigned-agent.ts';
import { type AssignedObjects, NOTHING_ASSIGNED } from './assigned-objects.ts';
import { assignmentOnDisk, LastAssignment } from './last-assignment.ts';
import { NodeAssignments } from './node-assignments.ts';
import { FORGOTTEN_PEERS_MS } from './own-peers.ts';

const [blue, red] = [meshNumber(0), meshNumber(1)];
const machine = '10eff964' as MachineId;
const peer = (id: string) => ({ machine: id, name: `node-${id}`, underlay: '10.11.1.2', macs: [] });

function documentOf(
  revision: number,
  networks: readonly unknown[],
  epoch = 'a',
  peers = [machine, '20eff964'],
): string {
  const attachments = networks.map((network) => ({
    network,
    reasons: ['port'],
    peers: { kind: 'assigned', peers: peers.map(peer) },
    services: [],
  }));
  const frame = { format: 1, ports: [], workloads: [], segments: [], nics: [] };
  return JSON.stringify({ ...frame, epoch, revision, attachments });
}

const PLUGGED: PortState = { state: 'plugged' };

/** A node whose kernel is as `state` says; `restart` gives a new process with the same disk. */
function node({ files = [] as readonly Network[] } = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'mesh-node-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const clock = new ManualClock();
  const journal = new Journal(clock, 'agent', 'node1');
  const world = {
    state: { phase: 'ready' } as NetworkState,
    ports: [] as LocalPort[],
    portState: PLUGGED,
    passes: 0,
    pass: Promise.resolve(),
    vtep: undefined as Ipv6 | undefined,
  };
  const restart = async () => {
    const last = new LastAssignment({ clock, journal, disk: assignmentOnDisk(directory, textOnDisk) });
    const assignments = new NodeAssignments({ machine, clock, journal, last, fileNetworks: () => files });
    await assignments.load();
    assignments.serve({
      stateOf: () => world.state,
      takeUp: () => {
        world.passes++;
        return world.pass;
      },
      localPorts: () => world.ports,
      portState: () => world.portState,
      vtepOf: () => world.vtep,
    });
    return assignments;
  };
  return { clock, world, restart };
}

test('an assignment is in force and on the disk when it is answered, and a restart works from it', async () => {
  const { restart, world } = node();
  const assignments = await restart();
  expect(await assignments.take(documentOf(1, [blue]))).toEqual({
    accepted: true,
    version: { epoch: 'a', revision: 1 },
    kept: true,
  });
  expect(world.passes).toBe(1);
  const again = await restart();
  expect(again.attachments).toEqual(assignments.attachments);
  expect(again.status()).toEqual(assignments.status());
  expect(again.attachments[0]?.peers).toEqual({ kind: 'assigned', peers: [peer('20eff964')] });
});

test('an assignment that comes before that of before is read waits for it, and is not lost', async () => {
  const clock = new ManualClock();
  const journal = new Journal(clock, 'agent', 'node1');
  const disk = Promise.withResolvers<AssignedObjects>();
  const last = {
    kept: true,
    findings: [],
    load: () => disk.promise,
    keep: async () => undefined,
    close: async () => undefined,
  };
  const assignments = new NodeAssignments({ machine, clock, journal, last, fileNetworks: () => [] });
  const taking = assignments.take(documentOf(1, [blue]));
  const loading = assignments.load();
  disk.resolve(NOTHING_ASSIGNED);
  await loading;
  expect(await taking).toEqual({ accepted: true, version: { epoch: 'a', revision: 1 }, kept: true });
  expect(assignments.attachments.map(({ network }) => network.name)).toEqual([blue.name]);
  expect(assignments.isFromHost0).toBe(true);
  await assignments.close();
});

test('a lower revision is refused and told until a good one comes; an incomplete one is only answered', async () => {
  const assignments = await node().restart();
  await assignments.take(documentOf(5, [blue]));
  expect(await assignments.take(documentOf(4, []))).toMatchObject({ error: { code: 'MESH_ASSIGNMENT_STALE' } });
  expect(assignments.health()).toMatchObject([{ code: 'MESH_ASSIGNMENT_STALE' }]);
  const digest = '0'.repeat(32);
  const named = JSON.stringify({ ...JSON.parse(documentOf(6, [])), attachments: [{ network: blue.id, digest }] });
  expect(await assignments.take(named)).toMatchObject({ error: { code: 'MESH_ASSIGNMENT_INCOMPLETE' } });
  expect(assignments.attachments).toHaveLength(1);
  await assignments.take(documentOf(6, []));
  expect(assignments.health()).toEqual([]);
  expect(assignments.attachments).toEqual([]);
});

test('each object has a state with an age, and an unknown kind is told with the remedy', async () => {
  const { restart, world, clock } = node();
  const assignments = await restart();
  world.ports = [{ link: 'tap0', network: 'blue', state: 'wanted' }];
  await assignments.take(documentOf(1, [red, { id: 'net-1001', name: 'far', type: { kind: 'geneve' } }]));
  world.state = { phase: 'pending', why: 'its bridge is being made' };
  assignments.status();
  await clock.pass(3_000);
  expect(assignments.status().objects).toEqual([
    { kind: 'network', id: red.id, state: 'pending', why: 'its bridge is being made', ageSec: 3 },
    expect.objectContaining({ kind: 'network', id: 'net-1001', state: 'failed', code: 'MESH_NOT_SUPPORTED' }),
    { kind: 'port', id: 'tap0', state: 'pending', why: 'host0 has not given this network yet', ageSec: 3 },
  ]);
  expect(assignments.status().ports).toEqual([{ link: 'tap0', network: 'blue' }]);
  expect(assignments.health()).toMatchObject([{ code: 'MESH_NOT_SUPPORTED', object: 'network net-1001' }]);
});

test('orphans are told until they are adopted', async () => {
  const { restart } = node();
  const assignments = await restart();
  await assignments.take(documentOf(9, [blue]));
  await assignments.take(documentOf(1, [], 'b'));
  expect(assignments.attachments).toHaveLength(1);
  expect(assignments.health()).toMatchObject([{ code: 'MESH_ASSIGNMENT_ORPHAN', object: `network ${blue.id}` }]);
  expect((await restart()).status().orphans).toEqual(assignments.status().orphans);
  await assignments.take(documentOf(2, [blue], 'b'));
  expect(assignments.health()).toEqual([]);
});

test('a network of a file wins over an assigned one', async () => {
  const assignments = await node({ files: [{ ...blue, id: red.id }] }).restart();
  await assignments.take(documentOf(1, [blue]));
  expect(assignments.attachments).toEqual([]);
  expect(assignments.status().objects).toMatchObject([{ id: blue.id, state: 'failed', code: 'MESH_NET_NUMBER_TWICE' }]);
});

test.each([
  ['a device', storeNetwork('lab', 0x456), 'MESH_NET_DEVICE_TWICE'],
  ['a VNI', { ...storeNetwork('lab', 7), type: { ...blue.type, device: 'vxlan7' } }, 'MESH_NET_VNI_TWICE'],
] as const)('an assigned network that needs %s of a file is refused', async (_, file, code) => {
  const assignments = await node({ files: [file] }).restart();
  await assignments.take(documentOf(1, [blue]));
  expect(assignments.attachments).toEqual([]);
  expect(assignments.status().objects).toMatchObject([{ id: blue.id, state: 'failed', code }]);
});

test('what the kernel has from before may go only after an assignment of the epoch that was on the disk', async () => {
  const { restart } = node();
  const first = await restart();
  await first.take(documentOf(1, [blue]));
  await first.take(documentOf(2, [blue]));
  expect(first.isComplete).toBe(false);
  const second = await restart();
  expect(second.isComplete).toBe(false);
  await second.take(documentOf(2, [blue]));
  expect(second.isComplete).toBe(true);
  await second.take(documentOf(1, [blue], 'b'));
  expect(second.isComplete).toBe(false);
});

test('a service and a workload of unknown kinds are told, and the network with its port is applied', async () => {
  const { restart, world } = node();
  const assignments = await restart();
  const services = [{ kind: 'dhcp', id: 'dhcp-1' }];
  const document = JSON.parse(documentOf(1, [blue]));
  document.attachments[0].services = services;
  document.workloads = [{ id: 'vm-1', kind: 'vm' }];
  document.ports = [{ id: '1', network: blue.id, link: 'v1', mac: '02:00:00:00:00:01' }];
  expect(await assignments.take(JSON.stringify(document))).toMatchObject({ accepted: true });
  const failed = { state: 'failed', code: 'MESH_NOT_SUPPORTED' };
  const objects = () => assignments.status().objects;
  expect(objects()).toHaveLength(4);
  expect(objects()).toEqual(
    expect.arrayContaining([
      { kind: 'network', id: blue.id, state: 'ready' },
      expect.objectContaining({ kind: 'service', id: 'dhcp-1', ...failed }),
      expect.objectContaining({ kind: 'workload', id: 'vm-1', ...failed }),
      { kind: 'port', id: 'v1', state: 'ready' },
    ]),
  );
  world.portState = { state: 'wanted', why: 'there is no interface v1' };
  expect(objects()).toContainEqual({
    kind: 'port',
    id: 'v1',
    state: 'pending',
    why: 'there is no interface v1',
    ageSec: 0,
  });
  expect(assignments.given.ports).toEqual(document.ports);
  expect((await restart()).given.ports).toEqual(document.ports);
});

test('a network into which a port was plugged since host0 heard of the node stays until host0 has heard', async () => {
  const { restart, world } = node();
  const assignments = await restart();
  world.ports = [{ link: 'tap0', network: blue.id, state: 'plugged' }];
  await assignments.take(documentOf(1, [blue]));
  const composedFor = (revision: number, heard: string | undefined, networks: readonly Network[] = []) =>
    JSON.stringify({ ...JSON.parse(documentOf(revision, networks)), heard });
  world.ports = [];
  const { said } = assignments.status();
  // Plugged in again, before what host0 composed for a node without ports arrives.
  world.ports = [{ link: 'tap0', network: blue.id, state: 'plugged' }];
  await assignments.take(composedFor(2, said));
  expect(assignments.attachments).toHaveLength(1);
  expect((await restart()).attachments).toHaveLength(1);
  // host0 has heard, and its administrator has deleted the network.
  await assignments.take(composedFor(3, assignments.status().said));
  expect(assignments.attachments).toEqual([]);
  // An older host0 does not say what it has heard.
  await assignments.take(composedFor(4, undefined, [blue]));
  await assignments.take(composedFor(5, undefined));
  expect(assignments.attachments).toEqual([]);
});

test('a port that goes is off its bridge before the disk forgets it', async () => {
  const { restart, world } = node();
  const assignments = await restart();
  const withPort = { ...JSON.parse(documentOf(1, [blue])), ports: [{ id: '1', network: blue.id, link: 'v1' }] };
  await assignments.take(JSON.stringify(withPort));
  world.passes = 0;
  const pass = Promise.withResolvers<void>();
  world.pass = pass.promise;
  const taking = assignments.take(documentOf(2, [blue]));
  await vi.waitFor(() => expect(world.passes).toBe(1), PATIENCE);
  expect((await restart()).given.ports).toEqual(withPort.ports);
  pass.resolve();
  await taking;
  expect((await restart()).given.ports).toEqual([]);
});

test('a node tells where its VTEP is in networks over IPv6 or on a device of their own, and in no other', async () => {
  const { restart, world } = node();
  const assignments = await restart();
  const over = (part: object): Network => ({ ...blue, type: { ...blue.type, ...part } }) as Network;
  await assignments.take(documentOf(1, [over({ underlay: 'ipv6' })]));
  expect(assignments.status().vteps).toBeUndefined();
  world.vtep = 'fd00::1' as Ipv6;
  expect(assignments.status().vteps).toEqual({ [blue.id]: 'fd00::1' });
  await assignments.take(documentOf(2, [blue]));
  expect(assignments.status().vteps).toBeUndefined();
  await assignments.take(documentOf(3, [over({ dev: 'eth1' })]));
  expect(assignments.status().vteps).toEqual({ [blue.id]: 'fd00::1' });
});

test('a host0 with another store has forgotten peers, and they stay for a while', async () => {
  const { restart, world, clock } = node();
  const assignments = await restart();
  const peers = () => assignments.attachments.map(({ peers: now }) => (now.kind === 'assigned' ? now.peers : []));
  await assignments.take(documentOf(7, [blue], 'a', ['20eff964', '30eff964', '40eff964']));
  await assignments.take(documentOf(3, [blue], 'b', [machine]));
  expect(peers()).toEqual([[peer('20eff964'), peer('30eff964'), peer('40eff964')]]);
  // One has called host0 meanwhile, and one has called and given the network up.
  await assignments.take(documentOf(4, [blue], 'b', [machine, '20eff964', '30eff964']));
  await assignments.take(documentOf(5, [blue], 'b', [machine, '20eff964']));
  expect(peers()).toEqual([[peer('20eff964'), peer('40eff964')]]);
  const { passes } = world;
  await clock.pass(FORGOTTEN_PEERS_MS);
  expect(peers()).toEqual([[peer('20eff964')]]);
  expect(world.passes).toBe(passes + 1);
  await assignments.take(documentOf(6, [blue], 'b', [machine]));
  expect(peers()).toEqual([[]]);
  await assignments.close();
});
