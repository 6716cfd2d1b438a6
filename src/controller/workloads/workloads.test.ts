/** What host0 decides of workloads: starts, places, reservations, changes and moves, with the ports of their cards. */
import { expect, onTestFinished, test, vi } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import { meshNumber } from '../../../test/kit/networks.ts';
import { capacity, runOf, workloadNamed } from '../../../test/kit/workloads.ts';
import { parseIpv4 } from '../../model/address/ipv4.ts';
import type { MachineId, MachineWord } from '../../model/machine.ts';
import type { Network } from '../../model/network/network.ts';
import { workloadIdOf } from '../../model/workload/workload.ts';
import type { WorkloadRun } from '../../protocol/documents/workload/assigned-workload.ts';
import { NodeOrphans } from '../assignments/node-orphans.ts';
import { OrphanBook } from '../assignments/orphan-book.ts';
import { PortOrders } from '../assignments/port-orders.ts';
import { PortBook } from '../ports/port-book.ts';
import { assignedPort } from '../ports/port-record.ts';
import { MoveFaults } from './move-faults.ts';
import { adoptWorkload } from './workload-adoption.ts';
import { WorkloadBook } from './workload-book.ts';
import { followMoves } from './workload-moves.ts';
import { WorkloadOrders } from './workload-orders.ts';
import { WorkloadReports } from './workload-reports.ts';

const GIB = 1024 ** 3;
const blue: Network = { ...meshNumber(0), name: 'blue' };
const red: Network = { ...meshNumber(1), name: 'red' };
const [A, B, C] = ['a0000000', 'b0000000', 'c0000000'] as [MachineId, MachineId, MachineId];
const NAMES: Readonly<Record<string, string>> = { [A]: 'node1', [B]: 'node2', [C]: 'node3' };

async function host0(store = new MemoryStore()) {
  const clock = new ManualClock();
  const ports = await PortBook.open(store);
  const orphanBook = new OrphanBook();
  const book = await WorkloadBook.open(store, { ports, isFreePort: (id) => !orphanBook.hasPort(id) });
  const reports = new WorkloadReports(clock);
  const nodes = {
    nodeCalled: (wanted: string) => {
      const machine = [A, B, C].find((id) => id === wanted || NAMES[id] === wanted);
      return machine && { machine, name: NAMES[machine] ?? '' };
    },
    nameOf: (machine: MachineWord) => NAMES[machine] ?? machine,
  };
  const network = (wanted: string) => {
    const found = [blue, red].find(({ name }) => name === wanted);
    if (found === undefined) throw Object.assign(new Error('unknown'), { code: 'MESH_NET_UNKNOWN' });
    return found;
  };
  const faults = new MoveFaults();
  const orders = new WorkloadOrders({ book, reports, faults, nodes, network, ports, management: () => undefined });
  const node = (machine: MachineWord, freeGib: number, more = {}) => {
    reports.opened(machine);
    reports.reported(machine, { capacity: { ...capacity, availableBytes: freeGib * GIB, ...more } });
  };
  const followed = () => {
    const journal = { failure: () => undefined };
    onTestFinished(followMoves({ clock, book, reports, orders, faults, journal, epoch: () => store.epoch }));
  };
  const nameOf = (machine: MachineWord) => nodes.nameOf(machine);
  const assignments = {
    orphanBook,
    orphans: () => orphanBook.named(nameOf),
    release: () => Promise.resolve(),
    holdersOf: () => [A, B],
  };
  const places = { ...assignments, ...nodes, portState: () => undefined };
  const orphans = new NodeOrphans(
    assignments,
    { adopt: () => Promise.reject(new TypeError('no network is an orphan')), has: () => true },
    new PortOrders({ book: ports, assignments: places, network, management: () => undefined }),
    { adopt: (machine, workload) => adoptWorkload({ book, nodes }, machine, workload) },
  );
  /** A report of a node that has taken all that host0 has decided. */
  const told = (machine: MachineWord, ...runs: WorkloadRun[]) =>
    reports.reported(machine, { runs, capacity, assignment: { epoch: store.epoch, revision: book.revision } });
  return { orphanBook, orphans, store, clock, ports, book, reports, orders, node, followed, told };
}

const web = workloadNamed('web', { memoryBytes: GIB });

test('a workload is kept without a node, and gets node, ports and generation with its first start', async () => {
  const { orders, node, ports, book } = await host0();
  node(A, 8);
  expect((await orders.put(web)).workload).toMatchObject({ state: 'new', generation: 0, ports: [{ id: 'lan' }] });
  expect(ports.all).toEqual([]);
  const { workload, steps } = await orders.start('web');
  expect(workload).toMatchObject({ state: 'waiting', generation: 1, node: 'node1', ports: [{ id: 'lan', port: '1' }] });
  expect(ports.all).toMatchObject([{ network: blue.id, machine: A, tap: true, vm: 'web', addresses: ['10.0.0.5'] }]);
  expect(book.on(A)).toMatchObject([
    { id: workloadIdOf(web.uuid), generation: 1, wanted: 'running', ports: { lan: '1' } },
  ]);
  expect(steps).toEqual([
    'reserve 1124 MiB of memory on node1',
    'place a port for the card lan in blue on node1',
    'tell node1 to start web',
  ]);
});

test('a plan writes nothing', async () => {
  const { orders, node, store, ports } = await host0();
  node(A, 8);
  const { revision } = await store.range('/');
  expect((await orders.start('web', { workload: web, dryRun: true })).steps).toContain('tell node1 to start web');
  expect((await store.range('/')).revision).toBe(revision);
  expect(ports.all).toEqual([]);
  expect(orders.list()).toEqual([]);
});

test('any place is the node with the most free memory that fits, host0 last', async () => {
  const { orders, node } = await host0();
  node(A, 2);
  node(B, 4);
  node(C, 16, { threads: 1 });
  node('host0', 64);
  const big = workloadNamed('big', { memoryBytes: GIB, cpu: { threads: 2, mode: 'host' } });
  expect((await orders.start('big', { workload: big })).workload.node).toBe('node2');
});

test('two starts in one moment do not take the same memory', async () => {
  const { orders, node } = await host0();
  node(A, 3);
  node(B, 2.5);
  const starts = ['one', 'two', 'three'].map((name) =>
    orders.start(name, { workload: workloadNamed(name, { memoryBytes: 2 * GIB, networks: [] }) }),
  );
  const [one, two, three] = await Promise.allSettled(starts);
  expect(one).toMatchObject({ value: { workload: { node: 'node1' } } });
  expect(two).toMatchObject({ value: { workload: { node: 'node2' } } });
  expect(three).toMatchObject({
    reason: {
      code: 'MESH_WORKLOAD_NO_ROOM',
      message: expect.stringContaining(
        'node1 has 924 MiB of memory that is not promised, and the workload needs 2148 MiB',
      ),
    },
  });
});

test('memory that a workload uses already is not taken off twice; a stopped one gives its memory back', async () => {
  const { orders, node, reports } = await host0();
  node(A, 3);
  await orders.start('web', { workload: workloadNamed('web', { memoryBytes: 2 * GIB }) });
  const run = runOf(workloadIdOf('uuid-web'), { generation: 1, memoryBytes: 2 * GIB });
  reports.reported(A, { runs: [run], capacity: { ...capacity, availableBytes: 2 * GIB } });
  await orders.start('next', { workload: workloadNamed('next', { memoryBytes: GIB, networks: [] }) });
  await orders.stop('web');
  await orders.stop('next');
  reports.reported(A, { runs: [{ ...run, state: 'stopped' }], capacity: { ...capacity, availableBytes: 4 * GIB } });
  await expect(
    orders.start('last', { workload: workloadNamed('last', { memoryBytes: 3.5 * GIB, networks: [] }) }),
  ).resolves.toMatchObject({ workload: { node: 'node1' } });
});

test('on a node without a disk, disks are in memory and count', async () => {
  const { orders, node } = await host0();
  node(A, 4, { volumes: 'memory' });
  const volumes = [{ id: 'root', type: 'qcow2' as const, path: 'a.qcow2', sizeBytes: 3 * GIB }];
  const order = workloadNamed('web', { memoryBytes: GIB, volumes });
  await expect(orders.start('web', { workload: order })).rejects.toMatchObject({ code: 'MESH_WORKLOAD_NO_ROOM' });
  await expect(
    orders.start('web', { workload: workloadNamed('web', { memoryBytes: GIB, volumes: [] }) }),
  ).resolves.toBeDefined();
});

test.each([
  ['unknown', { node: 'node9' }, 'MESH_NODE_UNKNOWN'],
  ['away', { node: 'node3' }, 'MESH_NODE_OFFLINE'],
  ['too small', { node: 'node1' }, 'MESH_WORKLOAD_NO_ROOM'],
  ['without an emulator', { node: 'node2' }, 'MESH_WORKLOAD_NO_ROOM'],
])('a named node that is %s is refused, and nothing is left', async (_what, place, code) => {
  const { orders, node, ports } = await host0();
  node(A, 0.5);
  node(B, 8, { accelerator: 'none', why: 'qemu-system-x86_64 is not installed' });
  await expect(orders.start('web', { workload: web, ...place })).rejects.toMatchObject({ code });
  expect([...ports.all, ...orders.list()]).toEqual([]);
});

test('a name or a uuid that is taken, and an unknown network, are refused', async () => {
  const { orders, node } = await host0();
  node(A, 8);
  await orders.put(web);
  await expect(orders.put({ ...web, uuid: 'other' })).rejects.toMatchObject({ code: 'MESH_WORKLOAD_TWICE' });
  await expect(orders.put({ ...web, name: 'other' })).rejects.toMatchObject({ code: 'MESH_WORKLOAD_TWICE' });
  const lost = workloadNamed('lost', { networks: web.networks.map((card) => ({ ...card, network: 'green' })) });
  await expect(orders.start('lost', { workload: lost })).rejects.toMatchObject({ code: 'MESH_NET_UNKNOWN' });
  await expect(orders.start('none')).rejects.toMatchObject({ code: 'MESH_WORKLOAD_UNKNOWN' });
});

test('start, stop, pause and resume say what is wanted; a second time they do nothing', async () => {
  const { orders, node, reports, book } = await host0();
  node(A, 8);
  await orders.start('web', { workload: web });
  reports.reported(A, { runs: [runOf(workloadIdOf(web.uuid), { generation: 1 })], capacity });
  expect((await orders.start('web')).steps).toEqual([]);
  expect((await orders.pause('web')).steps).toEqual(['tell node1 to pause web']);
  expect((await orders.pause('web')).steps).toEqual([]);
  expect((await orders.resume('web')).steps).toEqual(['tell node1 to resume web']);
  expect((await orders.restart('web')).workload.generation).toBe(2);
  expect((await orders.stop('web')).steps).toEqual(['tell node1 to stop web']);
  expect(book.on(A)).toMatchObject([{ generation: 2, wanted: 'stopped' }]);
  await expect(orders.pause('web')).rejects.toMatchObject({ code: 'MESH_WORKLOAD_RUNS' });
});

test('a running workload is neither changed nor deleted; a changed card has another port, the others keep theirs', async () => {
  const { orders, node, reports, ports } = await host0();
  node(A, 8);
  const two = {
    ...web,
    networks: [...web.networks, { id: 'wan', network: 'red', addresses: [], model: 'virtio' as const }],
  };
  await orders.start('web', { workload: two });
  const run = runOf(workloadIdOf(web.uuid), { generation: 1 });
  reports.reported(A, { runs: [run], capacity });
  const changed = {
    ...two,
    networks: two.networks.map((card) => (card.id === 'wan' ? { ...card, network: 'blue' } : card)),
  };
  await expect(orders.put(changed)).rejects.toMatchObject({ code: 'MESH_WORKLOAD_RUNS' });
  await expect(orders.remove('web', {})).rejects.toMatchObject({ code: 'MESH_WORKLOAD_RUNS' });
  await orders.stop('web');
  reports.reported(A, { runs: [{ ...run, state: 'stopped' }], capacity });
  await orders.put(changed);
  expect(ports.all.map(({ id, network }) => [id, network])).toEqual([
    ['1', blue.id],
    ['3', blue.id],
  ]);
  await orders.remove('web', {});
  expect([...ports.all, ...orders.list()]).toEqual([]);
});

test.each([
  'ended',
  'failed',
] as const)('a change of a workload that has %s by itself does not start it', async (state) => {
  const { orders, node, reports, book } = await host0();
  node(A, 8);
  await orders.start('web', { workload: web });
  reports.reported(A, { runs: [runOf(workloadIdOf(web.uuid), { generation: 1, state })], capacity });
  await orders.put({ ...web, memoryBytes: 2 * GIB });
  expect(book.on(A)).toMatchObject([{ generation: 2, wanted: 'stopped', workload: { memoryBytes: 2 * GIB } }]);
});

test('a card with other addresses keeps its port, and two cards may change theirs with one another', async () => {
  const { orders, node, ports, store } = await host0();
  node(A, 8);
  const [lan] = web.networks;
  if (lan === undefined) throw new TypeError('the workload has a card');
  const of = (last: number) => ({ address: parseIpv4(`10.0.0.${last}`), length: 24 });
  const cards = (first: number, second: number) => ({
    ...web,
    networks: [
      { ...lan, addresses: [of(first)] },
      { ...lan, id: 'wan', addresses: [of(second)] },
    ],
  });
  await orders.put(cards(5, 6));
  await orders.start('web');
  await orders.stop('web');
  const before = ports.all;
  const { steps } = await orders.put(cards(6, 5));
  expect(steps).toContain('give port 1 the addresses 10.0.0.6');
  expect(ports.all.map(({ id, mac, addresses }) => ({ id, mac, addresses }))).toEqual([
    { id: '1', mac: before[0]?.mac, addresses: ['10.0.0.6'] },
    { id: '2', mac: before[1]?.mac, addresses: ['10.0.0.5'] },
  ]);
  await orders.put({ ...web, networks: [{ ...lan, addresses: [] }] });
  expect(ports.all).toMatchObject([{ id: '1' }]);
  expect(ports.all[0]).not.toHaveProperty('addresses');
  expect((await PortBook.open(store)).all).toEqual(ports.all);
});

test('a card of another name may have the address and the Ethernet address of the one that it replaces', async () => {
  const { orders, node, ports, store } = await host0();
  node(A, 8);
  await orders.start('web', { workload: web });
  await orders.stop('web');
  const [before] = ports.all;
  await orders.put({
    ...web,
    networks: web.networks.map((card) => ({ ...card, id: 'eth0', ...(before && { mac: before.mac }) })),
  });
  expect(ports.all).toMatchObject([{ id: '2', mac: before?.mac, addresses: ['10.0.0.5'] }]);
  expect((await store.range('/v1/macs/')).entries).toHaveLength(1);
});

test('a workload that moves stops first, and then is on its new node with its ports', async () => {
  const { orders, node, reports, ports, book, followed, told } = await host0();
  node(A, 8);
  node(B, 4);
  await orders.start('web', { workload: web });
  const id = workloadIdOf(web.uuid);
  reports.reported(A, { runs: [runOf(id, { generation: 1 })], capacity });
  await expect(orders.move('web', { node: 'node2' })).rejects.toMatchObject({ code: 'MESH_NOT_SUPPORTED' });
  followed();
  await orders.move('web', { node: 'node2', force: true });
  expect(orders.show('web')).toMatchObject({ state: 'moving', node: 'node1', movesTo: 'node2' });
  expect(book.on(A)).toMatchObject([{ wanted: 'stopped' }]);
  expect(book.on(B)).toEqual([]);
  await expect(orders.start('web')).rejects.toMatchObject({ code: 'MESH_WORKLOAD_RUNS' });
  told(A, runOf(id, { generation: 1, state: 'stopped' }));
  await vi.waitFor(() => expect(book.on(A)).toEqual([]));
  expect(book.on(B)).toMatchObject([{ generation: 2, wanted: 'running' }]);
  expect(ports.all).toMatchObject([{ id: '1', machine: B }]);
});

test('a guest that failed, ended or was stopped before the move was ordered may start again: it does not move yet', async () => {
  const { orders, node, reports, book, clock, store, followed, told } = await host0();
  node(A, 8);
  node(B, 4);
  followed();
  await orders.start('web', { workload: web });
  const { revision } = book;
  const run = (state: WorkloadRun['state']) => runOf(workloadIdOf(web.uuid), { generation: 1, state });
  await orders.move('web', { node: 'node2', force: true });
  const stopped = { runs: [run('stopped')], capacity };
  reports.reported(A, stopped);
  reports.reported(A, { ...stopped, assignment: { epoch: store.epoch, revision } });
  reports.reported(A, { ...stopped, assignment: { epoch: 'older', revision: revision + 100 } });
  for (const state of ['failed', 'ended'] as const) told(A, run(state));
  await clock.pass(60_000);
  expect([book.on(A).length, book.on(B).length]).toEqual([1, 0]);
  told(A, run('stopped'));
  await vi.waitFor(() => expect(book.on(B)).toHaveLength(1));
});

test('a workload that still runs on another node is not started, and that node is named', async () => {
  const { orders, node, ports, told, reports } = await host0();
  node(A, 8);
  node(B, 4);
  told(B, runOf(workloadIdOf(web.uuid)));
  await orders.put(web);
  const refusal = { code: 'MESH_WORKLOAD_DOUBLE', message: 'web still runs on node2' };
  await expect(orders.start('web', { node: 'node1' })).rejects.toMatchObject({
    ...refusal,
    remedy: expect.stringContaining('-n node2'),
  });
  expect(ports.all).toEqual([]);
  reports.closed(B);
  expect((await orders.start('web', { node: 'node1' })).workload).toMatchObject({ node: 'node1' });
  reports.opened(B);
  await expect(orders.restart('web')).rejects.toMatchObject(refusal);
  told(B);
  await orders.restart('web');
});

test('a workload that the store has lost is adopted with its ports, and nobody else gets the id of one of them', async () => {
  const first = await host0();
  first.node(A, 8);
  await first.orders.start('web', { workload: web });
  const [assigned] = first.book.on(A);
  const ports = first.ports.all.map(assignedPort);
  const { orders, node, orphanBook, orphans, book, ports: known } = await host0();
  node(A, 8);
  node(B, 4);
  const id = workloadIdOf(web.uuid);
  const lost = [
    { kind: 'workload', id, epoch: 'old', document: assigned } as const,
    ...ports.map((document) => ({ kind: 'port', id: document.link, epoch: 'old', document }) as const),
  ];
  orphanBook.take(A, lost, 'new');
  const lan = web.networks.map((card) => ({ ...card, addresses: [] }));
  await orders.start('next', { workload: workloadNamed('next', { networks: lan }), node: 'node2' });
  expect(known.all.map((port) => port.id)).toEqual(['2']);
  await orphans.adopt(A, { kind: 'workload', id, epoch: 'old' });
  expect(book.on(A)).toEqual([assigned]);
  expect(known.on(A).map(assignedPort)).toEqual(ports);
  const again = orphans.adopt(A, { kind: 'workload', id, epoch: 'old' });
  await expect(again).rejects.toMatchObject({ code: 'MESH_WORKLOAD_TWICE' });
});

test('a move that cannot be ended says why, is tried again after a pause, and is given up by a move back', async () => {
  const { orders, node, book, clock, store, followed, told } = await host0();
  node(A, 8);
  node(B, 4);
  followed();
  await orders.start('web', { workload: web });
  await orders.move('web', { node: 'node2', force: true });
  const txn = vi.spyOn(store, 'txn').mockRejectedValue(new Error('the disk is full'));
  const stopped = runOf(workloadIdOf(web.uuid), { generation: 1, state: 'stopped' });
  for (let report = 0; report < 5; report += 1) told(A, stopped);
  await clock.pass(1_000);
  for (let report = 0; report < 5; report += 1) told(A, stopped);
  await clock.pass(1_000);
  expect(txn).toHaveBeenCalledTimes(1);
  expect(orders.show('web')).toMatchObject({ state: 'moving', why: expect.stringContaining('the disk is full') });
  txn.mockRestore();
  expect((await orders.move('web', { node: 'node1' })).steps).toEqual([
    'give up the move of web to node2',
    'tell node1 to start web',
  ]);
  expect(book.on(A)).toMatchObject([{ generation: 1, wanted: 'running' }]);
  await clock.pass(60_000);
  expect(book.on(B)).toEqual([]);
  await orders.move('web', { node: 'node2', force: true });
  expect(orders.show('web')).not.toHaveProperty('why');
  told(A, stopped);
  await vi.waitFor(() => expect(book.on(B)).toHaveLength(1));
});

test('a node that is lost keeps its workload; force starts it elsewhere, and the old node is named when it comes back', async () => {
  const { orders, node, reports, clock, book } = await host0();
  node(A, 8);
  node(B, 4);
  await orders.start('web', { workload: web });
  const run = runOf(workloadIdOf(web.uuid), { generation: 1 });
  reports.reported(A, { runs: [run], capacity });
  reports.closed(A);
  await clock.pass(60_000);
  expect(orders.show('web')).toMatchObject({ state: 'lost', ageSec: 60 });
  await expect(orders.move('web', { node: 'node2' })).rejects.toMatchObject({ code: 'MESH_NODE_OFFLINE' });
  await orders.move('web', { node: 'node2', force: true });
  expect(book.on(A)).toEqual([]);
  reports.opened(A);
  reports.reported(A, { runs: [run], capacity });
  expect(orders.show('web')).toMatchObject({ node: 'node2', alsoOn: ['node1'] });
});

test('another host0 process has the same workloads, with their ports', async () => {
  const { orders, node, store } = await host0();
  node(A, 8);
  await orders.start('web', { workload: web });
  const second = await host0(store);
  expect(second.orders.list()).toMatchObject([{ name: 'web', state: 'lost', node: 'node1', ports: [{ port: '1' }] }]);
  expect(second.book.on(A)).toHaveLength(1);
});

test('ports of a start that the store refuses are not left', async () => {
  const { orders, node, ports, store } = await host0();
  node(A, 8);
  await store.txn([], [{ put: '/v1/workloads/web', value: '{}' }]);
  await expect(orders.start('web', { workload: web })).rejects.toMatchObject({ code: 'MESH_STORE_CONFLICT' });
  expect(ports.all).toEqual([]);
});
