/** Addresses of networks: a network takes blocks of pools, and gives them back, in the transaction that writes the network. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { addressBook, addressPool, OutsideBlocks } from '../../../test/kit/address-book.ts';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import { MeshError } from '../../model/error.ts';
import { askAllocatorIn } from '../../services/hook/allocators.ts';
import type { Store } from '../../store/store.ts';
import { NetworkCatalogue } from '../catalogue/network-catalogue.ts';
import { AddressOrders } from './address-orders.ts';
import { NetworkBlocks } from './network-blocks.ts';
import type { AllocatorQuestion } from './outside-requests.ts';

const FOUR = { name: 'four', kind: 'ipv4-subnet', cidr: '10.20.0.0/22', length: 24 };
const OUT = { name: 'out', kind: 'ipv4-subnet', cidr: '172.16.0.0/16', length: 24, allocator: 'netbox' };

async function host0(input: {
  readonly store?: Store;
  readonly ask?: (allocator: string, question: AllocatorQuestion) => Promise<unknown>;
  readonly ports?: readonly string[];
}) {
  const { ports = [], ...rest } = input;
  const { book, clock, journal, store } = await addressBook(rest);
  const catalogue = await NetworkCatalogue.open({ store, clock, journal, blocks: new NetworkBlocks(book) });
  catalogue.setFiles([]);
  book.usedBy(() => catalogue.views().flatMap(({ network }) => network.subnets.map(({ cidr }) => cidr)));
  const orders = new AddressOrders({ store, journal, book, catalogue, portsIn: () => ports, hasWorkload: () => false });
  const subnetsOf = (name: string) => catalogue.find(name).network.subnets.map(({ cidr }) => cidr);
  return { book, catalogue, orders, clock, store, subnetsOf };
}

test('a network takes a /64 and an IPv4 subnet with its creation, and they rest when it is deleted', async () => {
  const { book, catalogue, orders, store, subnetsOf } = await host0({});
  await orders.createPool(addressPool());
  await orders.createPool(addressPool(FOUR));
  const order = { name: 'blue', addressPools: ['six', { pool: 'four', kind: 'ipv4-subnet' }] };
  const planned = await orders.createNetwork(order, { dryRun: true });
  expect(planned.network.subnets).toEqual([{ cidr: '2001:db8::/64' }, { cidr: '10.20.0.0/24' }]);
  expect(book.list()).toEqual([]);
  const { network } = await orders.createNetwork(order, {});
  expect(network).toEqual(planned.network);
  const keys = ['/v1/networks/1000', '/v1/pools/addresses/six/2001:db8::/64', '/v1/pools/addresses/four/10.20.0.0/24'];
  const revisions = await Promise.all(keys.map(async (key) => (await store.get(key))?.modRevision));
  expect(new Set(revisions).size).toBe(1);
  expect(orders.list()).toMatchObject([
    { pool: 'four', holder: { kind: 'network', id: 'net-1000' }, network: 'blue', state: 'allocated' },
    { pool: 'six', network: 'blue' },
  ]);
  expect(await orders.check()).toEqual([]);
  // A network without a pool stays pure layer 2.
  await catalogue.create({ name: 'red' });
  expect(subnetsOf('red')).toEqual([]);
  await catalogue.remove('blue');
  expect(orders.list().map(({ state, restsSec }) => [state, restsSec])).toEqual([
    ['resting', 7_200],
    ['resting', 7_200],
  ]);
  expect(await orders.check()).toEqual([]);
  await orders.createNetwork(order, {});
  expect(subnetsOf('blue')).toEqual(['2001:db8:0:1::/64', '10.20.1.0/24']);
});

test('a network that exists takes a block and loses it, and a document takes the blocks that it names', async () => {
  const { catalogue, orders, subnetsOf } = await host0({});
  await orders.createPool(addressPool());
  await orders.createPool(addressPool(FOUR));
  await catalogue.create({ name: 'blue', subnets: [{ cidr: '192.168.0.0/24' }] });
  const view = await orders.allocate({ pool: 'six', network: 'blue', id: 'mine' });
  expect(view).toMatchObject({ id: 'mine', value: '2001:db8::/64', network: 'blue', state: 'allocated' });
  expect(await orders.allocate({ pool: 'six', network: 'blue', id: 'mine' })).toEqual(view);
  expect(subnetsOf('blue')).toEqual(['192.168.0.0/24', '2001:db8::/64']);
  expect(await orders.release('2001:db8::/64')).toMatchObject({ state: 'resting', restsSec: 7_200 });
  expect(subnetsOf('blue')).toEqual(['192.168.0.0/24']);
  // By its document: the network itself may take back what rests after it.
  const both = { subnets: [{ cidr: '2001:db8::/64' }, { cidr: '10.20.2.0/24' }] };
  await catalogue.edit('blue', both);
  expect(orders.list().map(({ value, state }) => `${value} ${state}`)).toEqual([
    '10.20.2.0/24 allocated',
    '2001:db8::/64 allocated',
  ]);
  await expect(catalogue.create({ name: 'red', ...both })).rejects.toMatchObject({ code: 'MESH_IPAM_TAKEN' });
  await expect(catalogue.create({ name: 'red', subnets: [{ cidr: '10.20.2.0/23' }] })).rejects.toMatchObject({
    code: 'MESH_IPAM_LENGTH',
  });
  await catalogue.edit('blue', { subnets: [] });
  await expect(catalogue.create({ name: 'red', ...both })).rejects.toMatchObject({ retryable: true });
  expect(catalogue.views().map(({ network }) => network.name)).toEqual(['blue']);
  expect(await orders.check()).toEqual([]);
});

test('a document that names pools can be applied again, and keeps the subnets of the network', async () => {
  const { catalogue, orders, book, subnetsOf } = await host0({});
  await orders.createPool(addressPool());
  await orders.createPool(addressPool(FOUR));
  const document = { name: 'blue', addressPools: ['six', { kind: 'ipv4-subnet' }] };
  expect((await catalogue.apply(document)).change).toBe('created');
  expect((await catalogue.apply(document)).change).toBe('unchanged');
  expect((await catalogue.apply({ ...document, mtuBytes: 1400 })).differences).toEqual(['mtuBytes 1450 → 1400']);
  expect((await catalogue.apply({ ...document, addressPools: ['four'] })).change).toBe('changed');
  expect(subnetsOf('blue')).toEqual(['10.20.0.0/24']);
  // More of the same is a part of the order, too.
  await catalogue.apply({ ...document, addressPools: ['four', 'four'] });
  expect(subnetsOf('blue')).toEqual(['10.20.0.0/24', '10.20.1.0/24']);
  expect(book.list().map(({ state }) => state)).toEqual(['allocated', 'allocated', 'resting']);
  // After a restored backup, nothing is given that may have been given since.
  expect(catalogue.leap()).toHaveLength(4);
});

test('bad input gets its own error, and leaves nothing half made', async () => {
  const { book, catalogue, orders, store } = await host0({ ports: ['web'] });
  await orders.createPool(addressPool());
  await orders.createPool(addressPool({ ...FOUR, cidr: '10.20.0.0/24' }));
  await orders.createPool(addressPool({ name: 'one', kind: 'ipv4-address', cidr: '203.0.113.0/30', length: 32 }));
  await orders.createNetwork({ name: 'blue', addressPools: ['four'] }, {});
  const before = (await store.range('')).entries;
  const codeOf = (work: Promise<unknown>) =>
    work.then(
      () => 'none',
      (thrown: unknown) => MeshError.from(thrown).code,
    );
  const create = (addressPools: unknown) => codeOf(orders.createNetwork({ name: 'red', addressPools }, {}));
  expect(await create(['six', 'four'])).toBe('MESH_IPAM_POOL_EXHAUSTED');
  expect(await create(['green'])).toBe('MESH_IPAM_POOL_UNKNOWN');
  expect(await create([{ pool: 'six', kind: 'ipv4-subnet' }])).toBe('MESH_IPAM_POOL_UNKNOWN');
  expect(await create(['one'])).toBe('MESH_IPAM_LENGTH');
  expect(await create('six')).toBe('MESH_USAGE');
  expect(await create([{ value: '2001:db8::/63' }])).toBe('MESH_IPAM_LENGTH');
  expect(await create([{ value: 'fd00::/64' }])).toBe('MESH_IPAM_OUTSIDE');
  expect(await create(['six', { value: '10.20.0.0/24' }])).toBe('MESH_IPAM_TAKEN');
  expect(await codeOf(orders.createNetwork({ name: 'blue', addressPools: ['six'] }, {}))).toBe('MESH_NET_NAME_TWICE');
  expect(await codeOf(orders.allocate({ pool: 'six', network: 'green' }))).toBe('MESH_NET_UNKNOWN');
  expect(await codeOf(orders.allocate({ value: 'nonsense' }))).toBe('MESH_ADDRESS_INVALID');
  expect(await codeOf(orders.createPool(addressPool({ name: 'b', cidr: '2001:db8:7::/48' })))).toBe(
    'MESH_IPAM_POOLS_OVERLAP',
  );
  expect(await codeOf(orders.createPool(addressPool({ name: 'b', cidr: '2001:db9::/32', length: 63 })))).toBe(
    'MESH_IPAM_POOL_INVALID',
  );
  // A subnet leaves only when no port has an address in it.
  expect(await codeOf(orders.release('10.20.0.0/24'))).toBe('MESH_NET_IN_USE');
  expect(await codeOf(orders.release('10.99.0.0/24'))).toBe('MESH_IPAM_UNKNOWN');
  expect(await codeOf(orders.deletePool('four', true))).toBe('MESH_IPAM_POOL_IN_USE');
  expect((await store.range('')).entries).toEqual(before);
  expect(book.list()).toHaveLength(1);
  expect(catalogue.views()).toHaveLength(1);
  // The /64 that was planned beside each fault is still the next one.
  expect((await orders.allocate({ pool: 'six' })).value).toBe('2001:db8::/64');
});

test('a pool is a finding before nothing is left, and when nothing is left', async () => {
  const { orders } = await host0({});
  await orders.createPool(addressPool({ ...FOUR, cidr: '10.20.0.0/21', reserved: ['10.20.0.0/22'], warnPercent: 75 }));
  for (let at = 0; at < 2; at++) await orders.allocate({ pool: 'four' });
  expect(orders.health()).toEqual([]);
  await orders.allocate({ pool: 'four' });
  expect(orders.health()).toMatchObject([
    {
      code: 'MESH_IPAM_POOL_LOW',
      severity: 'warning',
      object: 'four',
      message: 'pool four (10.20.0.0/21) is used to 75 %: 3 allocated',
    },
  ]);
  const { id } = await orders.allocate({ pool: 'four' });
  await orders.release(id);
  expect(orders.health()).toMatchObject([{ code: 'MESH_IPAM_POOL_EXHAUSTED', severity: 'error' }]);
  expect(orders.pools()).toMatchObject([{ blocks: 8, reserved: 4, allocated: 3, resting: 1, usedPercent: 100 }]);
});

test('check names what does not fit: subnets without allocation, allocations without subnet, and changed records', async () => {
  const { catalogue, orders, store, book, clock } = await host0({});
  await catalogue.create({ name: 'old', subnets: [{ cidr: '10.20.3.0/24' }] });
  await orders.createPool(addressPool(FOUR));
  await orders.createNetwork({ name: 'blue', addressPools: ['four'] }, {});
  const messages = async () => (await orders.check()).map(({ message }) => message);
  expect(await messages()).toEqual(['network old has the subnet 10.20.3.0/24 of the pool four without an allocation']);
  // What the network has is not given to another, and the remedy heals.
  for (let at = 0; at < 2; at++) await orders.allocate({ pool: 'four' });
  await expect(orders.allocate({ pool: 'four' })).rejects.toMatchObject({ code: 'MESH_IPAM_POOL_EXHAUSTED' });
  expect((await orders.allocate({ value: '10.20.3.0/24', network: 'old' })).network).toBe('old');
  expect(await messages()).toEqual([]);
  await book.release('10.20.0.0/24');
  expect(await messages()).toEqual(['network blue has the subnet 10.20.0.0/24, which rests after network net-1001']);
  await book
    .allocate({ pool: 'four', holder: { kind: 'network', id: 'net-77' }, value: '10.20.0.0/24' })
    .catch(() => {});
  await clock.pass(7_200_000);
  await book.look();
  await book.allocate({ value: '10.20.0.0/24', holder: { kind: 'network', id: 'net-77' } });
  await orders.createPool(addressPool({ name: 'one', kind: 'ipv4-address', cidr: '203.0.113.0/30', length: 32 }));
  await orders.allocate({ pool: 'one', holder: { kind: 'workload', id: 'web' } });
  const { key, value } = (await store.range('/v1/pools/addresses/four/10.20.1.')).entries[0] ?? { key: '', value: '' };
  await store.txn([], [{ put: key, value: value.replace('operator', 'workload') }]);
  await store.txn([], [{ put: '/v1/pools/addresses/gone/10.0.0.0/24', value: '{}' }]);
  expect(await messages()).toEqual([
    'network blue has the subnet 10.20.0.0/24, which is that of network net-77',
    '10.20.0.0/24 is that of the network net-77, which does not exist',
    '203.0.113.0 is that of the workload web, which does not exist',
    `the record ${key} was changed, and host0 did not do that`,
    'the record /v1/pools/addresses/gone/10.0.0.0/24 belongs to no pool, and host0 did not do that',
  ]);
});

test('a network whose document was deleted by hand, while host0 was away or not, gives its blocks back', async () => {
  const first = await host0({ store: new MemoryStore() });
  await first.orders.createPool(addressPool(FOUR));
  for (const name of ['blue', 'red']) await first.orders.createNetwork({ name, addressPools: ['four'] }, {});
  await first.store.txn([], [{ delete: '/v1/networks/1000' }]);
  await expect.poll(() => first.orders.list().map(({ state }) => state)).toEqual(['resting', 'allocated']);
  await first.catalogue.close();
  await first.store.txn([], [{ delete: '/v1/networks/1001' }]);
  const second = await host0({ store: first.store });
  second.catalogue.usesChanged();
  await expect.poll(() => second.orders.list().map(({ state }) => state)).toEqual(['resting', 'resting']);
  expect(await second.orders.check()).toEqual([]);
});

test('an outside allocator is asked before the network is written; a network that is refused gives the block back', async () => {
  const outside = new OutsideBlocks(['172.16.9.0/24', '172.16.8.0/24', '10.0.0.0/24']);
  let fault: string | undefined;
  const asked: string[] = [];
  const ask = async (allocator: string, question: AllocatorQuestion) => {
    asked.push(`${allocator} ${question.operation} ${question.pool.name}`);
    if (fault !== undefined) throw new Error(fault);
    return outside.answer(question);
  };
  const { orders, catalogue, book, clock, subnetsOf } = await host0({ ask });
  await orders.createPool(addressPool(OUT));
  const order = (name: string) => ({ name, addressPools: ['out'] });
  await orders.createNetwork(order('blue'), { dryRun: true });
  expect(asked).toEqual([]);
  await orders.createNetwork(order('blue'), {});
  expect(subnetsOf('blue')).toEqual(['172.16.9.0/24']);
  expect(orders.list()).toMatchObject([{ network: 'blue', state: 'allocated' }]);
  // Its name is taken: the block that was chosen for it rests, and then the allocator gets it back.
  await expect(orders.createNetwork(order('blue'), {})).rejects.toMatchObject({ code: 'MESH_NET_NAME_TWICE' });
  expect(orders.list().map(({ value, state }) => `${value} ${state}`)).toEqual([
    '172.16.9.0/24 allocated',
    '172.16.8.0/24 resting',
  ]);
  await expect(orders.createNetwork(order('red'), {})).rejects.toMatchObject({ code: 'MESH_IPAM_ALLOCATOR_WRONG' });
  expect(orders.health()).toMatchObject([{ code: 'MESH_IPAM_ALLOCATOR_WRONG', object: 'out' }]);
  await clock.pass(7_300_000);
  await book.look();
  expect([...outside.given.values()]).toEqual(['172.16.9.0/24']);
  expect(orders.health()).toEqual([]);
  fault = 'the server is away';
  await expect(orders.allocate({ pool: 'out', network: 'blue' })).rejects.toMatchObject({
    code: 'MESH_IPAM_ALLOCATOR_FAILED',
    message: 'the allocator netbox of the pool out failed: the server is away',
    retryable: true,
  });
  await book.look();
  expect(orders.health()).toMatchObject([{ code: 'MESH_IPAM_ALLOCATOR_FAILED', object: 'out' }]);
  expect((await orders.check()).map(({ code }) => code)).toEqual(['MESH_IPAM_DRIFT']);
  await expect(orders.deletePool('out', true)).rejects.toMatchObject({ code: 'MESH_IPAM_POOL_IN_USE' });
  fault = undefined;
  await clock.pass(61_000);
  await book.look();
  expect(await orders.check()).toEqual([]);
  await expect(catalogue.create({ name: 'red', subnets: [{ cidr: '172.16.7.0/24' }] })).rejects.toMatchObject({
    code: 'MESH_IPAM_TAKEN',
  });
});

test('a document that is applied takes a block of an executable once, however often it is applied', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'mw-allocator-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const answer = '{"value": "172.16.$(wc -l < "$0.asked").0/24"}';
  const script = `#!/bin/sh\ncat >> "$0.asked"\n[ "$1" = ipam-release ] || cat <<END\n${answer}\nEND\n`;
  writeFileSync(join(directory, 'netbox'), script, { mode: 0o755 });
  const recordDirectory = join(directory, 'records');
  const ask = askAllocatorIn({ directory, recordDirectory, signal: new AbortController().signal });
  const { orders, subnetsOf } = await host0({ ask });
  await orders.createPool(addressPool(OUT));
  const order = { name: 'blue', addressPools: ['out'] };
  expect(await orders.applyNetwork(order, { dryRun: true })).toMatchObject({ network: { subnets: [] } });
  for (const change of ['created', 'unchanged', 'unchanged'])
    expect(await orders.applyNetwork(order, {})).toMatchObject({ change });
  expect(subnetsOf('blue')).toEqual(['172.16.1.0/24']);
  await orders.applyNetwork({ name: 'blue', addressPools: ['out', 'out'] }, {});
  expect(subnetsOf('blue')).toEqual(['172.16.1.0/24', '172.16.2.0/24']);
  expect(orders.list()).toHaveLength(2);
  expect(await orders.check()).toEqual([]);
});

test('a block that was reserved when host0 was killed comes into its network with the next attempt', async () => {
  const outside = new OutsideBlocks(['172.16.9.0/24', '172.16.8.0/24']);
  const ask = async (_: string, question: AllocatorQuestion) => outside.answer(question);
  const first = await host0({ ask });
  await first.orders.createPool(addressPool(OUT));
  const { network } = await first.catalogue.create({ name: 'blue' });
  // What is in the store when host0 is killed before it writes the network.
  const wish = { id: 'mine', pool: 'out' };
  await first.book.allocate({ ...wish, holder: { kind: 'network', id: network.id }, reserve: true });
  const second = await host0({ store: first.store, ask });
  for (const attempt of [1, 2]) {
    const given = await second.orders.allocate({ ...wish, network: 'blue' });
    expect(given, `attempt ${attempt}`).toMatchObject({ id: 'mine', value: '172.16.9.0/24', state: 'allocated' });
    expect(second.subnetsOf('blue')).toEqual(['172.16.9.0/24']);
  }
  expect(await second.orders.check()).toEqual([]);
});

test('a block that an allocator refused once is looked at by a check like any other', async () => {
  const outside = new OutsideBlocks(['172.16.9.0/24']);
  let isAway = true;
  const ask = async (_: string, question: AllocatorQuestion) => {
    if (isAway) throw new Error('the server is away');
    return outside.answer(question);
  };
  const { book, catalogue, orders } = await host0({ ask });
  await orders.createPool(addressPool(OUT));
  const { network } = await catalogue.create({ name: 'blue' });
  const wish = { id: 'mine', pool: 'out' };
  await expect(orders.allocate({ ...wish, network: 'blue' })).rejects.toMatchObject({
    code: 'MESH_IPAM_ALLOCATOR_FAILED',
  });
  isAway = false;
  await book.allocate({ ...wish, holder: { kind: 'network', id: network.id }, reserve: true });
  expect((await orders.check()).map(({ message }) => message)).toEqual([
    '172.16.9.0/24 is that of the network blue, which does not have it as a subnet',
  ]);
});

test('what an ended host0 has asked is taken back after a minute, unless the order asks again', async () => {
  const outside = new OutsideBlocks(['172.16.9.0/24', '172.16.8.0/24']);
  const first = await host0({
    ask: async (_, question) => {
      outside.answer(question);
      return new Promise(() => {});
    },
  });
  await first.orders.createPool(addressPool(OUT));
  const holder = { kind: 'order', id: '7' } as const;
  for (const id of ['mine', 'lost']) void first.orders.allocate({ id, pool: 'out', holder });
  await expect.poll(() => outside.given.size).toBe(2);
  const second = await host0({ store: first.store, ask: async (_, question) => outside.answer(question) });
  expect(second.orders.list().map(({ id, state }) => `${id} ${state}`)).toEqual(['lost reserved', 'mine reserved']);
  expect(await second.orders.check()).toEqual([]);
  await second.clock.pass(30_000);
  expect(await second.orders.allocate({ id: 'mine', pool: 'out', holder })).toMatchObject({ value: '172.16.9.0/24' });
  expect(outside.given.size).toBe(2);
  await second.clock.pass(30_000);
  await second.book.look();
  expect(second.orders.list().map(({ id, state }) => `${id} ${state}`)).toEqual(['mine allocated']);
  expect([...outside.given]).toEqual([['mine', '172.16.9.0/24']]);
});
