/** Documents of networks that people write into the store: what is sound becomes a network, what is not is refused with the reason. */
import { expect, onTestFinished, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { restoreBackup, takeBackup } from '../../store/store-backup.ts';
import { NetworkCatalogue } from './network-catalogue.ts';
import type { NetworkUse } from './network-use.ts';
import { WrittenNetworks } from './written-networks.ts';

/** A store with its catalogue and what follows documents. `put` and `del` are those of an operator. */
async function followed(store = new MemoryStore(), use?: Partial<NetworkUse>) {
  const clock = new ManualClock();
  const journal = new Journal(clock, 'host0', 'host0');
  const whole = { ports: () => [], nodes: () => [], unplug: async () => undefined, ...use };
  const catalogue = await NetworkCatalogue.open({ store, clock, journal, use: whole });
  const written = new WrittenNetworks({ store, clock, journal, catalogue });
  onTestFinished(async () => {
    written.close();
    await catalogue.close();
  });
  await written.start();
  /** Resolves when all that was asked for by now is done. */
  const quiet = async () => {
    for (let turn = 0; turn < 200; turn++) await Promise.resolve();
  };
  const put = async (key: string, value: string) => {
    await store.txn([], [{ put: key, value }]);
    await quiet();
  };
  const del = async (key: string) => {
    await store.txn([], [{ delete: key }]);
    await quiet();
  };
  const named = (name: string) => catalogue.views().find(({ network }) => network.name === name);
  const events = () => journal.recent().map(({ kind, object }) => `${kind} ${object}`);
  return { store, catalogue, written, put, del, named, events, quiet };
}

test('the line of the seed succeeds in the store, and is refused with place and rule', async () => {
  const { written, put, events, catalogue } = await followed();
  await put('/v1/network/200', '{ some_network }');
  expect(written.refused()).toMatchObject([
    {
      key: '/v1/network/200',
      error: {
        code: 'MESH_CONF_SYNTAX',
        rule: 'A document of a network is JSON.',
        place: { file: '/v1/network/200', line: 1, column: 3, text: '{ some_network }' },
      },
    },
  ]);
  expect(events()).toContain('document refused /v1/network/200');
  expect(written.health()).toMatchObject([{ code: 'MESH_CONF_SYNTAX', object: '/v1/network/200', severity: 'error' }]);
  expect(catalogue.views()).toEqual([]);
});

test('a sound document at the other spelling of the key is a network, changes with it and goes with it', async () => {
  const { written, put, del, named, store } = await followed(undefined, { nodes: () => ['node1'] });
  await put('/v1/network/200', '{ some_network }');
  await put('/v1/network/200', '{ "name": "some" }');
  expect(written.refused()).toEqual([]);
  expect(named('some')).toMatchObject({ network: { number: 0x200, id: 'net-200' }, activity: { phase: 'active' } });
  expect((await store.get('/v1/networks/200'))?.value).toContain('"number":"0x200"');
  await put('/v1/network/200', '{ "name": "some", "mtuBytes": 1400 }');
  expect(named('some')).toMatchObject({ network: { mtuBytes: 1400 } });
  await put('/v1/network/200', '{ "name": "some", "mtuBytes": "many" }');
  expect(written.refused()).toMatchObject([{ error: { code: 'MESH_NET_INVALID', place: { column: 19 } } }]);
  expect(named('some')).toMatchObject({ network: { mtuBytes: 1400 } });
  await del('/v1/network/200');
  expect(written.refused()).toEqual([]);
  expect(named('some')?.activity).toEqual({ phase: 'deleting', nodes: ['node1'] });
});

test('a document at the key itself becomes the record, and goes by hand to deleting', async () => {
  const { put, del, named, store } = await followed(undefined, { nodes: () => ['node1'] });
  await put('/v1/networks/ff01', '{"name": "blue"}');
  expect(named('blue')).toMatchObject({ network: { number: 0xff01 }, activity: { phase: 'active' } });
  expect((await store.get('/v1/networks/ff01'))?.value).toMatch(/^\{"format":1,"number":"0xff01","network":\{/);
  await del('/v1/networks/ff01');
  expect(named('blue')?.activity).toEqual({ phase: 'deleting', nodes: ['node1'] });
});

test('a record that is damaged by hand is refused, and its network stays', async () => {
  const { put, named, written, store } = await followed();
  await put('/v1/networks/ff01', '{"name": "blue"}');
  const sound = (await store.get('/v1/networks/ff01'))?.value ?? '';
  await put('/v1/networks/ff01', sound.replace('"mtuBytes":1450', '"mtuBytes":9'));
  expect(written.refused()).toMatchObject([{ key: '/v1/networks/ff01', error: { code: 'MESH_NET_INVALID' } }]);
  expect(named('blue')).toMatchObject({ network: { mtuBytes: 1450 } });
  await put('/v1/networks/ff01', '{"name": "blue", "mtuBytes": 1300}');
  expect(written.refused()).toEqual([]);
  expect(named('blue')).toMatchObject({ network: { mtuBytes: 1300 } });
});

test.each([
  '{bad',
  '{"name":"blue","nmae":1}',
  '{"name":"first"}',
])('a record under which %s is put is there again at the next start, and the refusal stays until the next change', async (document) => {
  const { put, written, events, store, catalogue } = await followed();
  await catalogue.create({ name: 'first', number: 0xff00 });
  await put('/v1/networks/ff01', '{"name": "blue", "mtuBytes": 1400}');
  const sound = await store.get('/v1/networks/ff01');
  await put('/v1/networks/ff01', document);
  expect(written.refused()).toMatchObject([{ key: '/v1/networks/ff01' }]);
  expect(events()).toContain('document refused /v1/networks/ff01');
  expect((await store.get('/v1/networks/ff01'))?.value).toBe(sound?.value);
  written.close();
  const next = await followed(store);
  expect(next.named('blue')).toMatchObject({ network: { mtuBytes: 1400 }, activity: { phase: 'active' } });
  expect(next.written.refused()).toEqual([]);
});

test('the refusal of a document over a record goes with the next change of the network', async () => {
  const { put, written, catalogue, quiet } = await followed();
  await put('/v1/networks/ff01', '{"name": "blue"}');
  await put('/v1/networks/ff01', '{bad');
  expect(written.refused()).toHaveLength(1);
  await catalogue.edit('blue', { mtuBytes: 1300 });
  await quiet();
  expect(written.refused()).toEqual([]);
});

test('a record of a later version is left alone', async () => {
  const { put, written, named, store } = await followed();
  await put('/v1/networks/ff01', '{"name": "blue"}');
  await put('/v1/networks/ff01', '{"format":3}');
  expect(written.refused()).toMatchObject([{ error: { code: 'MESH_STATE_LATER' } }]);
  expect(named('blue')).toBeDefined();
  expect((await store.get('/v1/networks/ff01'))?.value).toBe('{"format":3}');
});

test('a record that was overwritten while host0 was away keeps its number, until a document or an order of its name brings it back', async () => {
  const store = new MemoryStore();
  const first = await followed(store);
  await first.catalogue.create({ name: 'blue', number: 0x1000 });
  const { network } = await first.catalogue.create({ name: 'red', number: 0x1001, prefix: 'auto' });
  first.written.close();
  for (const key of ['/v1/networks/1000', '/v1/networks/1001', '/v1/networks/1002'])
    await store.txn([], [{ put: key, value: '{bad' }]);
  const { catalogue, put, named, written, quiet } = await followed(store);
  expect(catalogue.unreadable).toEqual([0x1000, 0x1001]);
  await expect(catalogue.create({ name: 'other', number: 0x1000 })).rejects.toMatchObject({
    code: 'MESH_NET_NUMBER_TWICE',
  });
  await put('/v1/networks/1000', '{"name":"blue"}');
  expect(named('blue')).toMatchObject({ network: { number: 0x1000 }, activity: { phase: 'active' } });
  // As an orphan of a node is adopted.
  await catalogue.apply({ ...network });
  expect(named('red')).toMatchObject({ network: { number: 0x1001, hostAddress: network.hostAddress } });
  await quiet();
  expect(catalogue.unreadable).toEqual([]);
  expect(written.refused()).toMatchObject([{ key: '/v1/networks/1002' }]);
});

test('a network whose record was overwritten while host0 was away is made again by its name and number', async () => {
  const store = new MemoryStore();
  const first = await followed(store);
  for (const number of [0x1000, 0x1001]) await first.catalogue.create({ name: `n${number}`, number });
  first.written.close();
  for (const key of ['/v1/networks/1000', '/v1/networks/1001']) await store.txn([], [{ put: key, value: '{bad' }]);
  const { catalogue, quiet } = await followed(store);
  await catalogue.create({ name: `n${0x1000}`, number: 0x1000 });
  await Promise.all([catalogue.create({ name: `n${0x1001}`, number: 0x1001 }), catalogue.create({ name: 'new' })]);
  await quiet();
  expect(catalogue.unreadable).toEqual([]);
  expect(catalogue.views().map(({ network }) => network.number)).toEqual([0x1000, 0x1001, 0x1002]);
});

test.each([
  ['/v1/network/200', '{"name":"a","number":200}', 'MESH_NET_INVALID', /key of network 512, and .* number 200/],
  ['/v1/network/0200', '{"name":"a"}', 'MESH_NET_INVALID', /no key of a network/],
  ['/v1/network/FF', '{"name":"a"}', 'MESH_NET_INVALID', /no key of a network/],
  ['/v1/networks/1000000', '{"name":"a"}', 'MESH_NET_INVALID', /no key of a network/],
  ['/v1/networks/200', '{"name":"a","nmae":1}', 'MESH_NET_INVALID', /nmae/],
  ['/v1/networks/200', '{"format":3}', 'MESH_STATE_LATER', /later version/],
  ['/v1/networks/200', '[]', 'MESH_NET_INVALID', /not an object/],
  ['/v1/networks/200', '{"name":"first"}', 'MESH_NET_NAME_TWICE', /first/],
])('%s %s is refused', async (key, value, code, message) => {
  const { put, written, catalogue } = await followed();
  await catalogue.create({ name: 'first' });
  await put(key, value);
  expect(written.refused()).toMatchObject([{ key, error: { code, message: expect.stringMatching(message) } }]);
  expect(catalogue.views()).toHaveLength(1);
});

test('a number whose place has a refused document is not allocated', async () => {
  const { put, catalogue } = await followed();
  await put('/v1/networks/1000', 'nothing');
  expect((await catalogue.create({ name: 'blue' })).network.number).toBe(0x1001);
});

test('a second document of one number is refused, and a service of a network is no document of one', async () => {
  const { put, written } = await followed();
  await put('/v1/networks/200', '{"name":"a"}');
  await put('/v1/networks/200/services/ra', '{}');
  await put('/v1/network/200', '{"name":"b"}');
  expect(written.refused()).toMatchObject([{ key: '/v1/network/200', error: { code: 'MESH_NET_NUMBER_TWICE' } }]);
});

test('what was put and deleted while host0 was away is taken up at its start; what a command changed since stays', async () => {
  const store = new MemoryStore();
  await store.txn([], [{ put: '/v1/network/201', value: '{"name":"a"}' }]);
  const first = await followed(store);
  expect(first.named('a')).toBeDefined();
  await first.catalogue.edit('a', { mtuBytes: 1400 });
  first.written.close();
  const second = await followed(store);
  expect(second.named('a')).toMatchObject({ network: { mtuBytes: 1400 } });
  second.written.close();
  await store.txn([], [{ delete: '/v1/network/201' }]);
  const third = await followed(store, { nodes: () => ['node1'] });
  expect(third.named('a')?.activity).toMatchObject({ phase: 'deleting' });
});

test.each([
  'of this version',
  'of an earlier version, which host0 has started with once',
])('after a restore, when each key has another revision, what commands changed stays: a record %s', async (version) => {
  const store = new MemoryStore();
  for (let at = 0; at < 7; at++) await store.txn([], [{ put: '/v1/other', value: `${at}` }]);
  const first = await followed(store);
  await first.put('/v1/network/201', '{"name":"a"}');
  await first.catalogue.edit('a', { mtuBytes: 1400 });
  first.written.close();
  if (version !== 'of this version') {
    const value = (await store.get('/v1/networks/201'))?.value.replace(/,"digest":"[0-9a-f]+"/, '') ?? '';
    expect(value).not.toContain('digest');
    await store.txn([], [{ put: '/v1/networks/201', value }]);
    (await followed(store)).written.close();
  }
  const restored = new MemoryStore();
  await restoreBackup(restored, await takeBackup(store, new Date(0)));
  const { named, put } = await followed(restored);
  expect(named('a')).toMatchObject({ network: { mtuBytes: 1400 } });
  await put('/v1/network/201', '{"name":"a","mtuBytes":1300}');
  expect(named('a')).toMatchObject({ network: { mtuBytes: 1300 } });
});
