/** What host0 decides of workloads: starts, places, reservations and changes, with the ports of their cards. */
import { expect, test } from 'vitest';
import { A, B, blue, C, GIB, workloadHost0 as host0 } from '../../../test/kit/workload-host0.ts';
import { capacity, runOf, workloadNamed } from '../../../test/kit/workloads.ts';
import { parseIpv4 } from '../../model/address/ipv4.ts';
import { workloadIdOf } from '../../model/workload/workload.ts';
import { PortBook } from '../ports/port-book.ts';

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

test('disks in memory count with what they may come to take, and what they have taken is not taken off twice', async () => {
  const { orders, node, reports } = await host0();
  const inMemory = { ...capacity, volumes: 'memory' as const };
  node(A, 8, { volumes: 'memory' });
  // An image: its size is known when the node has it.
  const volumes = [{ id: 'root', type: 'qcow2' as const, path: 'a.qcow2', source: 'isos/debian.qcow2' }];
  await orders.start('web', { workload: workloadNamed('web', { memoryBytes: GIB, volumes }) });
  const run = runOf(workloadIdOf('uuid-web'), { generation: 1, memoryBytes: GIB, volumeMemoryBytes: GIB });
  const told = (volumeDemandBytes: number) =>
    reports.reported(A, {
      runs: [{ ...run, volumeDemandBytes }],
      capacity: { ...inMemory, availableBytes: 6 * GIB },
    });
  // 6 GiB are free; the guest's emulator may take 0.1 more, and its disk of 4 GiB may take 3 more.
  told(4 * GIB);
  const order = (memoryBytes: number) => workloadNamed('next', { memoryBytes, volumes: [], networks: [] });
  const dry = { dryRun: true };
  await expect(orders.start('next', { ...dry, workload: order(3 * GIB) })).rejects.toMatchObject({
    code: 'MESH_WORKLOAD_NO_ROOM',
  });
  await orders.start('next', { ...dry, workload: order(2.5 * GIB) });
  told(GIB);
  await orders.start('next', { ...dry, workload: order(5.5 * GIB) });
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

test.each([
  'ended',
  'failed',
] as const)('a workload that has %s by itself is neither paused nor resumed', async (state) => {
  const { orders, node, told } = await host0();
  node(A, 8);
  await orders.start('web', { workload: web });
  told(A, runOf(workloadIdOf(web.uuid), { generation: 1, state }));
  const refusal = { code: 'MESH_WORKLOAD_RUNS', message: expect.stringContaining('web has ended') };
  await expect(orders.pause('web')).rejects.toMatchObject(refusal);
  await expect(orders.resume('web')).rejects.toMatchObject(refusal);
  expect((await orders.start('web')).workload.generation).toBe(2);
});

test('a card whose port was deleted is named, and a start or restart makes another port', async () => {
  const { orders, node, told, ports } = await host0();
  node(A, 8);
  await orders.start('web', { workload: web });
  await ports.remove('1');
  const why = 'the port of its card lan in blue was deleted: `mesh workload restart -w web` makes a new one';
  const preparing = { state: 'preparing', why: 'host0 has not given the port of its card yet' } as const;
  told(A, runOf(workloadIdOf(web.uuid), { generation: 1, ...preparing }));
  expect(orders.show('web')).toMatchObject({ state: 'preparing', why });
  const { workload } = await orders.start('web');
  expect(workload).toMatchObject({ generation: 2, ports: [{ id: 'lan', port: '2' }] });
  expect(workload.why).not.toBe(why);
  told(A, runOf(workloadIdOf(web.uuid), { generation: 2 }));
  await ports.remove('2');
  expect((await orders.start('web')).steps).toEqual([]);
  expect(orders.show('web')).toMatchObject({ state: 'running', why });
  expect((await orders.restart('web')).workload.ports).toMatchObject([{ port: '3' }]);
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

test('a network that was deleted is named in the view of its workload', async () => {
  const { orders, node, networks } = await host0();
  node(A, 8);
  await orders.start('web', { workload: web });
  expect(orders.show('web')).not.toHaveProperty('why', expect.stringContaining('is gone'));
  networks.splice(0);
  expect(orders.show('web').why).toContain('the network blue of its card lan is gone');
});
