/** Networks that are made at the same time: none has what another has, none fails for another, and each costs the same. */
import { expect, onTestFinished, test, vi } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import { ClaimBook } from '../../model/network/network-conflicts.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import type { Store } from '../../store/store.ts';
import { NetworkCatalogue } from './network-catalogue.ts';

async function opened(store: Store = new MemoryStore()): Promise<NetworkCatalogue> {
  const clock = new ManualClock();
  const catalogue = await NetworkCatalogue.open({ store, clock, journal: new Journal(clock, 'host0', 'host0') });
  onTestFinished(() => catalogue.close());
  return catalogue;
}

const named = (word: string, count: number) => Array.from({ length: count }, (_, i) => `${word}-${i}`);

test('networks that are asked for together share a few transactions, and have numbers of their own', async () => {
  const store = new MemoryStore();
  const catalogue = await opened(store);
  const txn = vi.spyOn(store, 'txn');
  const changes = vi.fn();
  catalogue.changes.subscribe(changes);
  const made = await Promise.all(named('a', 100).map((name) => catalogue.create({ name })));
  expect(new Set(made.map(({ network }) => network.number)).size).toBe(100);
  expect(txn.mock.calls.length).toBeLessThanOrEqual(4);
  for (const [, then] of txn.mock.calls) expect(then.length).toBeLessThanOrEqual(60);
  expect(changes.mock.calls.length).toBe(txn.mock.calls.length);
  expect(catalogue.views().map(({ network }) => network.name)).toEqual(named('a', 100));
  const ids = catalogue.views().map(({ activity }) => (activity.phase === 'active' ? activity.id : undefined));
  expect(ids).toEqual(named('a', 100).map((_, i) => i + 1));
  const again = await opened(store);
  expect(again.views()).toEqual(catalogue.views());
});

test('networks that are defined, started and stopped together share a few transactions, too', async () => {
  const store = new MemoryStore();
  const catalogue = await opened(store);
  const names = named('a', 100);
  const txn = vi.spyOn(store, 'txn');
  const told: string[] = [];
  catalogue.lifecycle.subscribe(({ kind }) => void told.push(kind));
  const all = async (one: (name: string) => Promise<unknown>) => {
    txn.mockClear();
    await Promise.all(names.map(one));
    expect(txn.mock.calls.length).toBeLessThanOrEqual(8);
    const kinds = new Set(told.splice(0));
    expect(kinds.size).toBe(1);
    return [...kinds][0];
  };
  const bridge = { type: { kind: 'bridge' } };
  expect(await all((name) => catalogue.define({ name, ...bridge }, { source: 'libvirt' }))).toBe('defined');
  const bridges = catalogue.views().map(({ network }) => network.bridge?.name);
  expect(new Set(bridges).size).toBe(100);
  expect(bridges).toContain('virbr99');
  expect(await all((name) => catalogue.start(name))).toBe('started');
  const ids = catalogue.views().map(({ activity }) => (activity.phase === 'active' ? activity.id : undefined));
  expect(ids).toEqual(names.map((_, i) => i + 1));
  expect(await all((name) => catalogue.stop(name))).toBe('stopped');
});

test('what depends on a change before it comes after that, also when both are asked for together', async () => {
  const catalogue = await opened();
  const uuid = '11111111-2222-4333-8444-555555555555';
  const outcomes = await Promise.allSettled([
    catalogue.define({ name: 'blue', uuid }),
    catalogue.define({ name: 'red', uuid }),
    catalogue.start('blue'),
    catalogue.start('blue'),
    catalogue.stop('blue'),
    catalogue.stop('none'),
    catalogue.define({ name: 'blue', description: 'again' }),
    catalogue.createTransient({ name: 'green' }),
    catalogue.createTransient({ name: 'green' }),
    catalogue.stop('green'),
  ]);
  const words = outcomes.map((one) => (one.status === 'fulfilled' ? one.value.change : one.reason.code));
  expect(words).toEqual([
    ...['defined', 'MESH_NET_UUID_TWICE', 'started', 'unchanged', 'stopped', 'MESH_NET_UNKNOWN', 'defined'],
    ...['created', 'MESH_NET_ACTIVE', 'stopped'],
  ]);
  expect(catalogue.find('blue').network.description).toBe('again');
});

test('a network that cannot be made fails alone', async () => {
  const catalogue = await opened();
  const orders = [
    { name: 'blue' },
    { name: 'blue' },
    { name: 'not a name' },
    { name: 'red', number: 0x1001, prefix: 'fd42::/64' },
    { name: 'green', prefix: 'fd42::/64' },
    { name: 'big', routing: { mode: 'nat' } },
    { name: 'last' },
  ];
  const outcomes = await Promise.allSettled(orders.map((order) => catalogue.create(order)));
  const codes = outcomes.map((outcome) =>
    outcome.status === 'fulfilled' ? outcome.value.network.number : outcome.reason.code,
  );
  expect(codes).toEqual([
    0x1000,
    'MESH_NET_NAME_TWICE',
    expect.stringMatching(/^MESH_NET_/),
    0x1001,
    'MESH_NET_PREFIX_TWICE',
    'MESH_NET_NOT_SUPPORTED',
    0x1002,
  ]);
  const after = await catalogue.create({ name: 'after' });
  expect(after.network.number).toBe(0x1003);
});

test('a document in the place of one network keeps no other from being made', async () => {
  const store = new MemoryStore();
  const catalogue = await opened(store);
  const making = named('a', 5).map((name) => catalogue.create({ name }));
  // Written by hand in the same moment.
  await store.txn([], [{ put: '/v1/networks/1002', value: '{ "format": 99 }' }]);
  const outcomes = await Promise.allSettled(making);
  const numbers = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value.network.number] : []));
  expect(new Set(numbers).size).toBe(numbers.length);
  expect(numbers.length).toBeGreaterThanOrEqual(4);
  expect(numbers).not.toContain(0x1002);
});

test('changes keep their order among creations', async () => {
  const catalogue = await opened();
  const outcomes = await Promise.allSettled([
    catalogue.create({ name: 'blue' }),
    catalogue.remove('blue'),
    catalogue.create({ name: 'blue' }),
    catalogue.create({ name: 'red' }),
    catalogue.remove('green'),
  ]);
  expect(outcomes.map(({ status }) => status)).toEqual([
    'fulfilled',
    'fulfilled',
    'fulfilled',
    'fulfilled',
    'rejected',
  ]);
  expect(catalogue.views().map(({ network }) => network.name)).toEqual(['blue', 'red']);
});

test('a network costs as many looks at others beside a thousand as beside ten', async () => {
  const catalogue = await opened();
  const looks = async (name: string) => {
    const methods = (['conflictOf', 'ownerOf', 'add', 'remove'] as const).map((method) =>
      vi.spyOn(ClaimBook.prototype, method),
    );
    await catalogue.create({ name, prefix: 'auto' });
    const counts = methods.map((method) => method.mock.calls.length);
    for (const method of methods) method.mockRestore();
    return counts;
  };
  await Promise.all(named('a', 10).map((name) => catalogue.create({ name, prefix: 'auto' })));
  const few = await looks('x');
  await Promise.all(named('b', 1_000).map((name) => catalogue.create({ name, prefix: 'auto' })));
  expect(await looks('y')).toEqual(few);
});
