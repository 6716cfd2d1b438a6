/** Definition and activation: what a command does to a network that is defined or transient, active or stopped. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ManualClock } from '../../../../test/kit/manual-clock.ts';
import { MemoryStore } from '../../../../test/kit/memory-store.ts';
import { mesh } from '../../../../test/kit/networks.ts';
import type { Network } from '../../../model/network/network.ts';
import { startsAtBoot } from '../../../protocol/documents/catalogue.ts';
import { Journal } from '../../../protocol/journal/journal.ts';
import { openHost0Store } from '../../../store/sqlite/host0-store.ts';
import type { Store } from '../../../store/store.ts';
import { NetworkCatalogue, type NetworkCatalogueInput } from '../network-catalogue.ts';
import type { NetworkUse } from '../network-use.ts';

type Opened = Awaited<ReturnType<typeof opened>>;

async function opened(store: Store, use?: Partial<NetworkUse>, more?: Partial<NetworkCatalogueInput>) {
  const clock = new ManualClock();
  const journal = new Journal(clock, 'host0', 'host0');
  const whole = { ports: () => [], nodes: () => [], unplug: async () => undefined, ...use };
  const catalogue = await NetworkCatalogue.open({ store, clock, journal, use: whole, ...more });
  onTestFinished(() => catalogue.close());
  const events: string[] = [];
  catalogue.lifecycle.subscribe(({ kind, network }) => events.push(`${kind} ${network.name}`));
  return { catalogue, journal, events, told: () => events.splice(0) };
}

/** What is so of a network, in words. */
function stateOf({ catalogue }: Opened, name: string): string {
  const view = catalogue.views().find(({ network }) => network.name === name);
  if (view === undefined) return 'gone';
  const { activity, persistent, definition } = view;
  return [activity.phase, persistent === false && 'transient', definition && 'changed'].filter(Boolean).join(', ');
}

const withMtu = (mtuBytes: number) => (network: Network) => ({ ...network, mtuBytes });
const BOOT = { host0: 'a', boot: 'one' };

const STORES = {
  memory: async () => new MemoryStore(),
  sqlite: async () => {
    const directory = mkdtempSync(join(tmpdir(), 'mesh-activation-'));
    const { store } = await openHost0Store(directory, new ManualClock());
    onTestFinished(async () => {
      await store.close();
      rmSync(directory, { recursive: true });
    });
    return store;
  },
} as const;

test.each(
  Object.entries(STORES),
)('with the store %s, a network goes through all its states, each told', async (_, open) => {
  const store = await open();
  const host0 = await opened(store);
  const { catalogue, told } = host0;
  const step = async (work: Promise<{ readonly change: string }>) => {
    const { change } = await work;
    return [change, stateOf(host0, 'blue'), ...told()];
  };
  const defined = (order = {}) => catalogue.define({ name: 'blue', ...order });
  expect(await step(defined())).toEqual(['defined', 'stopped', 'defined blue']);
  expect(await step(catalogue.start('blue'))).toEqual(['started', 'active', 'started blue']);
  expect(await step(catalogue.start('blue'))).toEqual(['unchanged', 'active']);
  expect(await step(defined({ mtuBytes: 1300 }))).toEqual(['defined', 'active, changed', 'defined blue']);
  expect([catalogue.liveOf('blue')?.mtuBytes, catalogue.definitionOf('blue')?.mtuBytes]).toEqual([1450, 1300]);
  expect(await step(catalogue.undefine('blue'))).toEqual(['undefined', 'active, transient', 'undefined blue']);
  expect(catalogue.liveOf('blue')?.mtuBytes).toBe(1450);
  expect(catalogue.definitionOf('blue')).toBeUndefined();
  expect(await step(defined({ mtuBytes: 1300 }))).toEqual(['defined', 'active, changed', 'defined blue']);
  expect(await step(catalogue.stop('blue'))).toEqual(['stopped', 'stopped', 'stopped blue']);
  expect(await step(catalogue.stop('blue'))).toEqual(['unchanged', 'stopped']);
  expect(catalogue.liveOf('blue')).toBeUndefined();
  expect(catalogue.definitionOf('blue')?.mtuBytes).toBe(1300);
  expect(await step(catalogue.undefine('blue'))).toEqual(['undefined', 'gone', 'undefined blue']);
  expect(await step(catalogue.createTransient({ name: 'blue' }))).toEqual([
    'created',
    'active, transient',
    'started blue',
  ]);
  expect(await step(catalogue.stop('blue'))).toEqual(['stopped', 'gone', 'stopped blue']);
  expect(await step(catalogue.create({ name: 'blue' }))).toEqual(['created', 'active', 'defined blue', 'started blue']);
  expect(await step(catalogue.edit('blue', { mtuBytes: 1400 }))).toEqual(['changed', 'active', 'updated blue']);
  expect(await step(catalogue.remove('blue'))).toEqual(['deleted', 'gone', 'stopped blue', 'undefined blue']);
});

test('all that is so of a network is there after a start of host0', async () => {
  const store = new MemoryStore();
  const first = await opened(store);
  await first.catalogue.define({ name: 'stopped' });
  await first.catalogue.create({ name: 'changed' });
  await first.catalogue.define({ name: 'changed', mtuBytes: 1300 });
  await first.catalogue.createTransient({ name: 'passing' });
  await first.catalogue.define({ name: 'auto' });
  await first.catalogue.setAutostart('auto', true);
  const { catalogue } = await opened(store);
  expect(catalogue.views()).toEqual(first.catalogue.views());
  expect(catalogue.networks.map(({ name, mtuBytes }) => [name, mtuBytes])).toEqual([
    ['changed', 1450],
    ['passing', 1450],
  ]);
});

test('a record of the version before, which is active or stopped, is read as a defined network', async () => {
  const store = new MemoryStore();
  await (await opened(store)).catalogue.create({ name: 'blue' });
  const record = JSON.parse((await store.get('/v1/networks/1000'))?.value ?? '');
  expect(record).toMatchObject({ format: 1, activeId: 1 });
  expect(Object.keys(record)).toEqual(['format', 'number', 'network', 'activeId']);
  const { catalogue } = await opened(store);
  await catalogue.setAutostart('blue', true);
  expect((await store.get('/v1/networks/1000'))?.value).toMatch(/^\{"format":2,/);
});

test('an update changes what runs, the definition, or both', async () => {
  const host0 = await opened(new MemoryStore());
  const { catalogue } = host0;
  await catalogue.define({ name: 'blue' });
  const sizes = () => [catalogue.liveOf('blue')?.mtuBytes, catalogue.definitionOf('blue')?.mtuBytes];
  await expect(catalogue.update('blue', withMtu(1300), { live: true })).rejects.toMatchObject({
    code: 'MESH_NET_INACTIVE',
  });
  await catalogue.update('blue', withMtu(1310));
  expect(sizes()).toEqual([undefined, 1310]);
  await catalogue.start('blue');
  await catalogue.update('blue', withMtu(1320));
  expect(sizes()).toEqual([1320, 1310]);
  await catalogue.update('blue', withMtu(1330), { config: true });
  expect(sizes()).toEqual([1320, 1330]);
  const { change, differences } = await catalogue.update('blue', withMtu(1340), { live: true, config: true });
  expect([change, ...sizes(), stateOf(host0, 'blue')]).toEqual(['changed', 1340, 1340, 'active']);
  expect(differences).toEqual(['mtuBytes 1330 → 1340', 'mtuBytes 1320 → 1340']);
  await catalogue.undefine('blue');
  await expect(catalogue.update('blue', withMtu(1300), { config: true })).rejects.toMatchObject({
    code: 'MESH_NET_TRANSIENT',
  });
  await catalogue.update('blue', withMtu(1350), { live: true });
  expect(sizes()).toEqual([1350, undefined]);
  await expect(catalogue.update('blue', withMtu(2), {})).rejects.toMatchObject({ code: 'MESH_NET_INVALID' });
  expect((await catalogue.update('blue', (network) => network)).change).toBe('unchanged');
});

test('an edit changes the live form and the definition, each from what it is', async () => {
  const { catalogue } = await opened(new MemoryStore());
  await catalogue.create({ name: 'blue' });
  await catalogue.define({ name: 'blue', mtuBytes: 1300 });
  await catalogue.edit('blue', { description: 'for guests' });
  expect(catalogue.liveOf('blue')).toMatchObject({ mtuBytes: 1450, description: 'for guests' });
  expect(catalogue.definitionOf('blue')).toMatchObject({ mtuBytes: 1300, description: 'for guests' });
  await catalogue.apply({ name: 'blue', mtuBytes: 1290 });
  expect(catalogue.views()).toMatchObject([{ network: { mtuBytes: 1290 } }]);
  expect(catalogue.views()[0]?.definition).toBeUndefined();
});

test('what a definition for later claims is given to no other network, and is free when the definition is gone', async () => {
  const { catalogue } = await opened(new MemoryStore());
  await catalogue.create({ name: 'blue' });
  await catalogue.define({ name: 'blue', bridge: { name: 'wide' }, prefix: 'fd42::/64' });
  for (const order of [{ bridge: { name: 'wide' } }, { bridge: { name: 'br1000' } }, { prefix: 'fd42::/64' }])
    await expect(catalogue.create({ name: 'red', ...order })).rejects.toMatchObject({ code: /_TWICE$/ });
  await catalogue.stop('blue');
  await catalogue.create({ name: 'red', bridge: { name: 'br1000' } });
  await catalogue.define({ name: 'blue', bridge: { name: 'slim' } });
  await catalogue.create({ name: 'green', bridge: { name: 'wide' }, prefix: 'fd42::/64' });
});

test('a network that starts by itself is started once after a boot, and stays stopped when host0 alone starts anew', async () => {
  const store = new MemoryStore();
  const first = await opened(store);
  const { catalogue, told } = first;
  await catalogue.booted(BOOT, 'host0');
  await catalogue.define({ name: 'auto' });
  expect((await catalogue.setAutostart('auto', true)).differences).toEqual(['autostart as before → yes']);
  await catalogue.define({ name: 'idle' });
  await catalogue.create({ name: 'made' });
  await catalogue.create({ name: 'paused' });
  await catalogue.stop('paused');
  await catalogue.create({ name: 'never' });
  await catalogue.setAutostart('never', false);
  await catalogue.createTransient({ name: 'passing' });
  await catalogue.booted(BOOT, 'host0');
  told();
  const names = ['auto', 'idle', 'made', 'paused', 'never', 'passing'];
  const states = (host0: Opened) => names.map((name) => `${name} ${stateOf(host0, name)}`);
  expect(states(first)).toEqual([
    'auto stopped',
    'idle stopped',
    'made active',
    'paused stopped',
    'never active',
    'passing active, transient',
  ]);
  const said = Object.fromEntries(catalogue.views().map((view) => [view.network.name, startsAtBoot(view)]));
  await catalogue.close();
  const second = await opened(store);
  await second.catalogue.booted({ ...BOOT, boot: 'two' }, 'host0');
  expect(states(second)).toEqual([
    'auto active',
    'idle stopped',
    'made active',
    'paused stopped',
    'never stopped',
    'passing gone',
  ]);
  expect(second.told().sort()).toEqual(['started auto', 'stopped never', 'stopped passing']);
  for (const [name, starts] of Object.entries(said))
    expect([name, stateOf(second, name) === 'active']).toEqual([name, starts]);
  await second.catalogue.stop('auto');
  await second.catalogue.close();
  const third = await opened(store);
  await third.catalogue.booted({ ...BOOT, boot: 'two' }, 'host0');
  expect(stateOf(third, 'auto')).toBe('stopped');
  await third.catalogue.booted({ ...BOOT, boot: 'three' }, 'host0');
  expect(stateOf(third, 'auto')).toBe('active');
});

test('a network that other nodes have outlives a boot of the machine of host0', async () => {
  const store = new MemoryStore();
  const first = await opened(store);
  await first.catalogue.booted(BOOT, 'host0');
  await first.catalogue.createTransient({ name: 'passing' });
  await first.catalogue.close();
  const nodes = { known: ['host0', 'node1'] as readonly string[] | undefined };
  const { catalogue } = await opened(store, { nodes: () => nodes.known });
  await catalogue.booted({ ...BOOT, boot: 'two' }, 'host0');
  expect(catalogue.liveOf('passing')).toBeDefined();
  nodes.known = undefined;
  await catalogue.booted({ ...BOOT, boot: 'three' }, 'host0');
  expect(catalogue.liveOf('passing')).toBeDefined();
  nodes.known = ['host0'];
  await catalogue.booted({ ...BOOT, boot: 'four' }, 'host0');
  expect(catalogue.views()).toMatchObject([{ activity: { phase: 'deleting' } }]);
});

test('a host0 that takes over from another one takes that for no boot', async () => {
  const store = new MemoryStore();
  const first = await opened(store);
  await first.catalogue.booted(BOOT, 'host0');
  await first.catalogue.define({ name: 'auto' });
  await first.catalogue.setAutostart('auto', true);
  await first.catalogue.close();
  const other = await opened(store);
  await other.catalogue.booted({ host0: 'b', boot: 'other' }, 'host0');
  expect(stateOf(other, 'auto')).toBe('stopped');
  await other.catalogue.booted({ host0: 'b', boot: 'another' }, 'host0');
  expect(stateOf(other, 'auto')).toBe('active');
});

test('what needs a definition is refused for a transient network, and one with ports is not stopped', async () => {
  const ports = [{ node: 'node1', interface: 'tap0' }];
  const { catalogue } = await opened(new MemoryStore(), { ports: () => ports.slice() });
  await catalogue.createTransient({ name: 'blue' });
  for (const work of [() => catalogue.undefine('blue'), () => catalogue.setAutostart('blue', true)])
    await expect(work()).rejects.toMatchObject({ code: 'MESH_NET_TRANSIENT', object: 'blue' });
  await expect(catalogue.createTransient({ name: 'blue' })).rejects.toMatchObject({ code: 'MESH_NET_ACTIVE' });
  await expect(catalogue.stop('blue')).rejects.toMatchObject({ code: 'MESH_NET_IN_USE' });
  ports.pop();
  await catalogue.stop('blue');
});

test('a mesh of a file is active always, and is changed by its file alone', async () => {
  const { catalogue, told } = await opened(new MemoryStore());
  catalogue.setFiles([mesh('manage', 456)]);
  expect(told()).toEqual([]);
  for (const work of [
    () => catalogue.stop('manage'),
    () => catalogue.undefine('manage'),
    () => catalogue.setAutostart('manage', false),
    () => catalogue.define({ name: 'manage' }),
    () => catalogue.createTransient({ name: 'manage' }),
    () => catalogue.update('manage', withMtu(1300)),
  ])
    await expect(work()).rejects.toMatchObject({ code: 'MESH_NET_SOURCE' });
  expect(catalogue.views().map(startsAtBoot)).toEqual([true]);
  catalogue.setFiles([mesh('manage', 456), mesh('storage', 457)]);
  expect(told()).toEqual(['defined storage', 'started storage']);
  catalogue.setFiles([mesh('storage', 457)]);
  expect(told()).toEqual(['stopped manage', 'undefined manage']);
});

test('a document that is put or deleted by hand is told like a command', async () => {
  const store = new MemoryStore();
  const { catalogue, told } = await opened(store);
  await catalogue.create({ name: 'blue' });
  told();
  await store.txn([], [{ delete: '/v1/networks/1000' }]);
  await catalogue.create({ name: 'red' });
  expect(told()).toEqual(['stopped blue', 'undefined blue', 'defined red', 'started red']);
});

const LIBVIRT = { source: 'libvirt' } as const;
const UUID = '6fa459ea-ee8a-4ca4-894e-db77e160355e';

test('a network of libvirt gets the first free bridge name, an Ethernet address and a UUID, and keeps them', async () => {
  const { catalogue } = await opened(new MemoryStore(), {}, { hasDevice: (name) => name === 'virbr1' });
  const define = async (order: object) => (await catalogue.define({ type: 'bridge', ...order }, LIBVIRT)).network;
  const first = await define({ name: 'first' });
  expect(first).toMatchObject({ source: 'libvirt', bridge: { name: 'virbr0' } });
  expect(first.bridge?.mac).toMatch(/^52:54:00(:[0-9a-f]{2}){3}$/);
  expect(catalogue.views()).toMatchObject([{ autostart: false, activity: { phase: 'stopped' } }]);
  expect(await define({ name: 'second' })).toMatchObject({ bridge: { name: 'virbr2' } });
  expect(await define({ name: 'third', bridge: { name: 'lab%d', mac: '52:54:00:00:00:07' } })).toMatchObject({
    bridge: { name: 'lab0', mac: '52:54:00:00:00:07' },
  });
  const again = await define({ name: 'first', uuid: first.uuid, mtuBytes: 1400 });
  expect(again).toEqual({ ...first, mtuBytes: 1400 });
  expect(await define({ name: 'foreign', type: { kind: 'foreign-bridge', name: 'br0' } })).not.toHaveProperty('bridge');
});

test('a document that is applied without a UUID and a bridge leaves both as they are', async () => {
  const { catalogue } = await opened(new MemoryStore());
  const order = { name: 'natty', type: 'bridge', routing: { mode: 'none' } };
  const { network } = await catalogue.define(order, { source: 'libvirt' });
  expect((await catalogue.apply(order)).change).toBe('unchanged');
  expect(catalogue.find('natty').network).toMatchObject({ uuid: network.uuid, bridge: network.bridge });
});

test('a UUID means one network, and a network without one has one of its own', async () => {
  const store = new MemoryStore();
  const { catalogue } = await opened(store);
  await catalogue.define({ name: 'first', uuid: UUID });
  const { network } = await catalogue.create({ name: 'plain' });
  const derived = catalogue.uuidOf(network);
  expect(derived).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect([UUID.toUpperCase(), derived].map((uuid) => catalogue.find(uuid).network.name)).toEqual(['first', 'plain']);
  expect((await opened(store)).catalogue.uuidOf(network)).toBe(derived);
  for (const order of [
    { name: 'second', uuid: UUID },
    { name: 'plain', uuid: UUID },
    { name: 'plain', uuid: '00000000-0000-4000-8000-000000000000' },
    { name: 'first', uuid: '00000000-0000-4000-8000-000000000000' },
  ])
    await expect(catalogue.define(order, LIBVIRT)).rejects.toMatchObject({ code: 'MESH_NET_UUID_TWICE' });
  await catalogue.define({ name: 'plain', uuid: derived }, LIBVIRT);
  await catalogue.define({ name: 'first', uuid: UUID, mtuBytes: 1400 }, LIBVIRT);
});

test('a defined network is started in another form by an order that knows its UUID', async () => {
  const host0 = await opened(new MemoryStore());
  const { catalogue } = host0;
  await catalogue.define({ name: 'blue', uuid: UUID }, LIBVIRT);
  await expect(catalogue.createTransient({ name: 'blue' }, LIBVIRT)).rejects.toMatchObject({
    code: 'MESH_NET_UUID_TWICE',
  });
  await catalogue.createTransient({ name: 'blue', uuid: UUID, mtuBytes: 1300 }, LIBVIRT);
  expect(stateOf(host0, 'blue')).toBe('active, changed');
  await catalogue.stop('blue');
  expect(catalogue.definitionOf('blue')?.mtuBytes).toBe(1450);
});

test('a dry run of each change answers as the change would, and writes nothing', async () => {
  const store = new MemoryStore();
  const { catalogue, told } = await opened(store);
  await catalogue.create({ name: 'runs' });
  await catalogue.define({ name: 'rests' });
  const before = await store.range('');
  told();
  const dry = { dryRun: true };
  const plans = [
    catalogue.define({ name: 'new' }, dry),
    catalogue.define({ name: 'runs', mtuBytes: 1300 }, dry),
    catalogue.createTransient({ name: 'passing' }, dry),
    catalogue.undefine('runs', dry),
    catalogue.undefine('rests', dry),
    catalogue.setAutostart('rests', true, dry),
    catalogue.update('runs', withMtu(1300), dry),
    catalogue.start('rests', dry),
    catalogue.stop('runs', dry),
  ];
  const answers = await Promise.all(plans);
  expect(answers.map(({ change, dryRun }) => [change, dryRun])).toEqual(
    ['defined', 'defined', 'created', 'undefined', 'undefined', 'changed', 'changed', 'started', 'stopped'].map(
      (change) => [change, true],
    ),
  );
  expect((await store.range('')).entries).toEqual(before.entries);
  expect(told()).toEqual([]);
});

test('a network of libvirt is made in the place of one of its name that nodes still have', async () => {
  const nodes = ['host0'];
  const host0 = await opened(new MemoryStore(), { nodes: () => nodes });
  const { catalogue, told } = host0;
  const order = { name: 'blue', type: 'bridge', bridge: { name: 'virbr7' } };
  const first = (await catalogue.createTransient(order, LIBVIRT)).network;
  await catalogue.stop('blue');
  expect(catalogue.views()).toMatchObject([{ activity: { phase: 'deleting' } }]);
  await expect(catalogue.createTransient(order)).rejects.toMatchObject({ code: 'MESH_NET_UNKNOWN' });
  told();
  const second = (await catalogue.createTransient(order, LIBVIRT)).network;
  expect([stateOf(host0, 'blue'), ...told()]).toEqual(['active, transient', 'started blue']);
  expect([second.id, second.source, second.bridge]).toEqual([first.id, 'libvirt', first.bridge]);
  expect(second.uuid).not.toBe(first.uuid);
  await catalogue.stop('blue');
  await catalogue.define({ ...order, uuid: UUID }, LIBVIRT);
  expect([stateOf(host0, 'blue'), catalogue.definitionOf('blue')?.uuid]).toEqual(['stopped', UUID]);
  await catalogue.undefine('blue');
  await catalogue.define({ ...order, uuid: UUID }, LIBVIRT);
  expect([stateOf(host0, 'blue'), catalogue.definitionOf('blue')?.uuid]).toEqual(['stopped', UUID]);
});

test('a network that is made in the place of another one stays when the last node gives up that one in the same moment', async () => {
  let nodes: readonly string[] = ['node1'];
  const host0 = await opened(new MemoryStore(), { nodes: () => nodes });
  const { catalogue } = host0;
  const order = { name: 'lan', type: { kind: 'bridge' as const } };
  await catalogue.createTransient(order, LIBVIRT);
  await catalogue.stop('lan');
  expect(stateOf(host0, 'lan')).toBe('deleting, transient');
  const making = catalogue.createTransient(order, LIBVIRT);
  nodes = [];
  catalogue.usesChanged();
  await making;
  await catalogue.close();
  expect(stateOf(host0, 'lan')).toBe('active, transient');
});
