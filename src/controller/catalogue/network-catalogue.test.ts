/** The catalogue: networks are made, changed and deleted through their source, and the older of two that collide stays. */
import { expect, onTestFinished, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import { mesh } from '../../../test/kit/networks.ts';
import type { NetworkId } from '../../model/network/number.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { NetworkCatalogue } from './network-catalogue.ts';
import type { NetworkUse } from './network-use.ts';

/** A catalogue of a store, with the nodes and ports of each network. */
async function opened(store: MemoryStore, use?: Partial<NetworkUse>) {
  const clock = new ManualClock();
  const journal = new Journal(clock, 'host0', 'host0');
  const whole = { ports: () => [], nodes: () => [], unplug: async () => undefined, ...use };
  const catalogue = await NetworkCatalogue.open({ store, clock, journal, use: whole });
  onTestFinished(() => catalogue.close());
  const kinds = () => journal.recent().map(({ kind }) => kind);
  return { catalogue, clock, journal, kinds };
}

const NET = (hex: string) => `net-${hex}` as NetworkId;

test('a network that only has a name is a VXLAN with assigned peers, named by its number', async () => {
  const store = new MemoryStore();
  const { catalogue } = await opened(store);
  const { change, network } = await catalogue.create({ name: 'blue' });
  expect(change).toBe('created');
  expect(network).toMatchObject({
    id: 'net-1000',
    number: 0x1000,
    name: 'blue',
    bridge: { name: 'br1000' },
    type: { kind: 'vxlan', device: 'vxlan1000', vni: 0x1000, udpPort: 4789, underlay: 'ipv4' },
    peers: { kind: 'assigned' },
    mtuBytes: 1450,
    hostAddress: { kind: 'none' },
    span: { kind: 'on-demand' },
    source: 'store',
  });
  expect(catalogue.networks).toEqual([network]);
  const again = await opened(store);
  expect(again.catalogue.views()).toEqual([{ network, activity: { phase: 'active', id: 1 } }]);
  expect((await store.get('/v1/networks/1000'))?.value).toContain('"format":1');
});

test('a network whose document cannot be read is not listed, and is told from one that is gone', async () => {
  const store = new MemoryStore();
  await (await opened(store)).catalogue.create({ name: 'blue' });
  await store.txn([], [{ put: '/v1/networks/1000', value: '{ "format": 99 }' }]);
  const { catalogue } = await opened(store);
  expect(catalogue.views()).toEqual([]);
  expect([0x1000, 0x1001].map((number) => catalogue.isSpoilt(number))).toEqual([true, false]);
});

test('a type, peers by multicast, a prefix, an MTU and a number are taken from the order', async () => {
  const { catalogue } = await opened(new MemoryStore());
  const bridge = await catalogue.create({ name: 'lan', type: 'bridge', mtuBytes: 9000 });
  expect(bridge.network).toMatchObject({ type: { kind: 'bridge' }, mtuBytes: 9000 });
  expect(bridge.network.peers).toBeUndefined();
  const many = await catalogue.create({
    name: 'many',
    number: 0x2ff01,
    type: { kind: 'vxlan', dev: 'eth1' },
    peers: 'multicast',
    prefix: 'auto',
  });
  expect(many.network).toMatchObject({
    type: { device: 'vxlan2ff01', underlay: 'ipv6', dev: 'eth1' },
    peers: { kind: 'multicast', group: 'ff05::2:ff01' },
    mtuBytes: 1430,
    hostAddress: { kind: 'derived', prefix: expect.stringMatching(/^fd.*::\/64$/) },
  });
  expect(many.warnings).toEqual([]);
  const known = await catalogue.create({
    name: 'dns',
    number: 0xfb,
    type: { kind: 'vxlan', dev: 'eth1' },
    peers: 'multicast',
  });
  expect(known.warnings).toMatchObject([{ code: 'MESH_NET_GROUP', message: expect.stringContaining('multicast DNS') }]);
});

test('explicit peers are listed in the order', async () => {
  const { catalogue } = await opened(new MemoryStore());
  const peers = { kind: 'explicit', vteps: [{ address: '10.11.0.2' }] };
  expect((await catalogue.create({ name: 'far', peers })).network).toMatchObject({ peers });
});

test.each([
  [{ name: 'blue' }, 'MESH_NET_NAME_TWICE', 'is also that of blue (number 0x1000, from store)'],
  [{ name: 'red', number: 0x1000 }, 'MESH_NET_NUMBER_TWICE', 'number 0x1000 is that of blue'],
  [{ name: 'red', number: 456 }, 'MESH_NET_NUMBER_TWICE', 'number 0x1c8 is that of manage'],
  [{ name: 'red', bridge: { name: 'br456' } }, 'MESH_NET_DEVICE_TWICE', 'device br456 of red'],
  [{ name: 'red', type: { kind: 'vxlan', vni: 456 } }, 'MESH_NET_VNI_TWICE', 'vni 456 on UDP port 4789 of red'],
  [{ name: 'red', prefix: 'fd42:2345:1234:456::/64' }, 'MESH_NET_PREFIX_TWICE', 'overlaps fd42:2345:1234:456::/64'],
  [{ name: 'red', prefix: 'fd42::/48' }, 'MESH_NET_PREFIX_NOT_64', 'is not a /64'],
  [
    { name: 'red', peers: 'multicast' },
    'MESH_NET_INVALID',
    'peers: {"group":"ff05::1001","kind":"multicast"} does not fit',
  ],
  [{ name: 'red', mtuBytes: 40 }, 'MESH_NET_INVALID', 'mtuBytes: 40 does not fit'],
  [{ name: 'red', mtuByte: 1400 }, 'MESH_NET_INVALID', 'mtuByte: 1400 does not fit'],
  [{ name: 'two words' }, 'MESH_NET_INVALID', 'name: "two words" does not fit'],
])('%j is refused, and takes no number', async (order, code, message) => {
  const { catalogue } = await opened(new MemoryStore());
  catalogue.setFiles([mesh('manage', 456)]);
  await catalogue.create({ name: 'blue' });
  await expect(catalogue.create(order)).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  expect((await catalogue.create({ name: 'green' })).network.id).toBe('net-1001');
});

test('an allocated number leaves out device names that a mesh has: br1234 is that of 1234 and of 0x1234', async () => {
  const { catalogue } = await opened(new MemoryStore());
  catalogue.setFiles([mesh('manage', 1000), mesh('storage', 0x1001)]);
  expect((await catalogue.create({ name: 'blue' })).network.id).toBe('net-1002');
});

test('an edit changes what it names, a rename keeps the number, and an edit of nothing writes nothing', async () => {
  const store = new MemoryStore();
  const { catalogue, kinds } = await opened(store);
  await catalogue.create({ name: 'blue', labels: { team: 'a' } });
  const edited = await catalogue.edit('blue', { name: 'navy', mtuBytes: 1400, labels: { rack: '1' } });
  expect(edited).toMatchObject({
    change: 'changed',
    differences: ['mtuBytes 1450 → 1400', 'labels.rack none → 1', 'name blue → navy'].toSorted(
      (a, b) => edited.differences.indexOf(a) - edited.differences.indexOf(b),
    ),
    network: { id: 'net-1000', labels: { team: 'a', rack: '1' } },
  });
  const { revision } = await store.range('');
  expect((await catalogue.edit('navy', { mtuBytes: 1400 })).change).toBe('unchanged');
  expect((await store.range('')).revision).toBe(revision);
  await expect(catalogue.edit('navy', { number: 5 })).rejects.toMatchObject({ code: 'MESH_USAGE' });
  expect(kinds()).toEqual(['network created', 'network changed']);
});

test('the same document applied twice makes one network, and what a document leaves out is as in a new one', async () => {
  const { catalogue } = await opened(new MemoryStore());
  const order = { name: 'blue', mtuBytes: 1400, prefix: 'auto' };
  const made = await catalogue.apply(order);
  expect(made.change).toBe('created');
  expect((await catalogue.apply(order)).change).toBe('unchanged');
  // The document that host0 prints is an order, too.
  expect((await catalogue.apply({ ...made.network })).change).toBe('unchanged');
  expect(await catalogue.apply({ name: 'blue', prefix: 'auto' })).toMatchObject({
    change: 'changed',
    differences: ['mtuBytes 1400 → 1450'],
  });
});

test('a dry run answers as the change would, and takes nothing', async () => {
  const store = new MemoryStore();
  const { catalogue, kinds } = await opened(store);
  const planned = await catalogue.create({ name: 'blue', prefix: 'auto' }, { dryRun: true });
  expect(planned).toMatchObject({ dryRun: true, network: { number: 0x1000 } });
  expect([
    catalogue.views(),
    kinds(),
    (await store.range('/v1/networks')).entries,
    (await store.range('/v1/pools')).entries,
  ]).toEqual([[], [], [], []]);
  const { network } = await catalogue.create({ name: 'blue', prefix: 'auto' });
  expect(network).toEqual(planned.network);
});

test('a stopped network keeps its number and name, and is on no node', async () => {
  const { catalogue } = await opened(new MemoryStore());
  await catalogue.create({ name: 'blue' });
  await catalogue.create({ name: 'red' });
  await catalogue.stop('blue');
  expect(catalogue.networks.map(({ name }) => name)).toEqual(['red']);
  await expect(catalogue.create({ name: 'blue' })).rejects.toMatchObject({ code: 'MESH_NET_NAME_TWICE' });
  expect((await catalogue.start('blue')).change).toBe('started');
  expect(catalogue.find('blue').activity).toEqual({ phase: 'active', id: 1 });
});

test('the network of a file is changed in its file alone', async () => {
  const { catalogue } = await opened(new MemoryStore());
  catalogue.setFiles([mesh('manage', 456)]);
  for (const change of [
    catalogue.edit('manage', { mtuBytes: 1400 }),
    catalogue.stop('br456'),
    catalogue.remove('0x1c8'),
  ])
    await expect(change).rejects.toMatchObject({ code: 'MESH_NET_SOURCE' });
});

test('a network with ports is not deleted, unless they may be unplugged', async () => {
  const store = new MemoryStore();
  let ports = [{ node: 'node1', interface: 'tap0' }];
  const unplug = async () => {
    ports = [];
  };
  const { catalogue } = await opened(store, { ports: () => ports, unplug });
  await catalogue.create({ name: 'blue' });
  await expect(catalogue.remove('blue')).rejects.toMatchObject({
    code: 'MESH_NET_IN_USE',
    message: 'network blue has a port: tap0 on node1',
  });
  await catalogue.remove('blue', { force: true });
  expect([ports, catalogue.views()]).toEqual([[], []]);
  expect((await store.range('/v1/')).entries.map(({ key }) => key)).toEqual([
    '/v1/installation/id',
    '/v1/pools/numbers',
    '/v1/pools/numbers/1000',
  ]);
});

test('the number of a deleted network is free when no node has the network any more', async () => {
  const store = new MemoryStore();
  let nodes = ['node1'];
  const use = { nodes: () => nodes };
  const first = await opened(store, use);
  await first.catalogue.create({ name: 'blue' });
  await first.catalogue.remove('blue');
  // host0 is started again meanwhile.
  const { catalogue } = await opened(store, use);
  expect(catalogue.find('blue').activity).toEqual({ phase: 'deleting', nodes: ['node1'] });
  expect(catalogue.networks).toEqual([]);
  await expect(catalogue.create({ name: 'red', number: 0x1000 })).rejects.toMatchObject({
    code: 'MESH_NET_NUMBER_TWICE',
  });
  nodes = [];
  catalogue.usesChanged();
  expect((await catalogue.create({ name: 'red', number: 0x1000 })).change).toBe('created');
});

test('a document that is deleted by hand is that of a network that is being deleted', async () => {
  const store = new MemoryStore();
  const { catalogue } = await opened(store, { nodes: () => ['node1'] });
  await catalogue.create({ name: 'blue' });
  const changed = new Promise<void>((resolve) => {
    catalogue.changes.subscribe(() => {
      if (catalogue.views()[0]?.activity.phase === 'deleting') resolve();
    });
  });
  await store.txn([], [{ delete: '/v1/networks/1000' }]);
  await changed;
  expect((await store.get('/v1/networks/1000'))?.value).toContain('"deleting":true');
});

test('a document that was deleted while host0 was away frees its number when no node has the network', async () => {
  const store = new MemoryStore();
  const first = await opened(store);
  await first.catalogue.create({ name: 'blue' });
  await first.catalogue.close();
  await store.txn([], [{ delete: '/v1/networks/1000' }]);
  let nodes = [NET('1000') as string];
  const { catalogue } = await opened(store, { nodes: () => nodes });
  await expect(catalogue.create({ name: 'red', number: 0x1000 })).rejects.toMatchObject({
    code: 'MESH_NET_NUMBER_TWICE',
  });
  nodes = [];
  catalogue.usesChanged();
  expect((await catalogue.create({ name: 'red', number: 0x1000 })).change).toBe('created');
});

test('the older network stays: a file that collides is refused until the other is gone, and told', async () => {
  const { catalogue, kinds } = await opened(new MemoryStore());
  const [manage, blue] = [mesh('manage', 456), mesh('blue', 789)];
  catalogue.setFiles([manage]);
  expect(catalogue.meshes).toEqual([manage]);
  await catalogue.create({ name: 'blue' });
  catalogue.setFiles([manage, blue]);
  expect(catalogue.meshes).toEqual([manage]);
  expect(catalogue.find(blue.id).activity).toMatchObject({ phase: 'refused', error: { code: 'MESH_NET_NAME_TWICE' } });
  expect(catalogue.health()).toMatchObject([{ code: 'MESH_NET_NAME_TWICE', object: 'blue' }]);
  expect(kinds()).toEqual(['network created', 'network refused']);
  await catalogue.remove('net-1000');
  expect(catalogue.networks).toEqual([manage, blue]);
  expect(catalogue.meshes).toEqual([manage, blue]);
});

test('main is made once, at the first start, where its name is free', async () => {
  const store = new MemoryStore();
  const { catalogue } = await opened(store);
  catalogue.setFiles([]);
  await catalogue.makeMain();
  expect(catalogue.networks).toMatchObject([{ name: 'main', number: 0x1000, peers: { kind: 'assigned' } }]);
  await catalogue.remove('main');
  const again = await opened(store);
  again.catalogue.setFiles([]);
  await again.catalogue.makeMain();
  expect(again.catalogue.networks).toEqual([]);
  const other = await opened(new MemoryStore());
  other.catalogue.setFiles([mesh('main', 456)]);
  await other.catalogue.makeMain();
  expect(other.catalogue.networks).toMatchObject([{ name: 'main', source: 'file' }]);
});

test('an orphan is adopted as it is, with its number and prefix', async () => {
  const before = await opened(new MemoryStore());
  const { network } = await before.catalogue.create({ name: 'blue', prefix: 'auto', mtuBytes: 1400 });
  const { catalogue } = await opened(new MemoryStore());
  expect(await catalogue.adopt(network)).toMatchObject({ change: 'created', network });
  expect(await catalogue.adopt(network)).toMatchObject({ change: 'unchanged' });
  await expect(catalogue.adopt({ ...network, name: 'red' })).rejects.toMatchObject({ code: 'MESH_NET_NUMBER_TWICE' });
});

test('a document of a later version is left alone, and its number stays taken', async () => {
  const store = new MemoryStore();
  await store.txn([], [{ put: '/v1/networks/1000', value: '{"format":3}' }]);
  const { catalogue } = await opened(store);
  await expect(catalogue.create({ name: 'blue', number: 0x1000 })).rejects.toMatchObject({
    code: 'MESH_STORE_CONFLICT',
  });
  expect((await store.get('/v1/networks/1000'))?.value).toBe('{"format":3}');
});

test('a name that commands would take for a number or for another network is refused, and one that is there stays', async () => {
  const { catalogue } = await opened(new MemoryStore());
  catalogue.setFiles([mesh('manage', 456)]);
  const { network } = await catalogue.create({ name: 'blue', number: 0x1001 });
  for (const name of ['456', '0x1001', 'br456', 'vxlan456', 'mesh-456', 'br1001', 'net-1001']) {
    await expect(catalogue.create({ name }), name).rejects.toMatchObject({ code: 'MESH_NET_NAME_INVALID' });
    if (!name.endsWith('1001')) {
      await expect(catalogue.edit('blue', { name }), name).rejects.toMatchObject({ code: 'MESH_NET_NAME_INVALID' });
    }
  }
  expect(await catalogue.edit('blue', { name: 'br1001' })).toMatchObject({ change: 'changed' });
  const { catalogue: other } = await opened(new MemoryStore());
  await other.adopt({ ...network, name: '456' });
  expect(await other.edit('456', { mtuBytes: 1400 })).toMatchObject({ change: 'changed' });
});
