/** The address book: what is given, that nothing is given twice, and that what was given back rests, over restarts of host0. */
import { expect, test } from 'vitest';
import { addressBook, addressPool } from '../../../test/kit/address-book.ts';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import { MortalStore } from '../../../test/kit/mortal-store.ts';
import type { AddressHolder, Allocation } from '../../model/ipam/allocation.ts';

const blue: AddressHolder = { kind: 'network', id: 'net-1000' };
const me: AddressHolder = { kind: 'operator', id: 'me' };
const FOUR = { name: 'four', kind: 'ipv4-subnet', cidr: '10.20.0.0/22', length: 24 };

test('blocks are given one after another, with the object that uses them in one transaction', async () => {
  const { book, store } = await addressBook();
  await book.createPool(addressPool());
  const use = ({ value }: { readonly value: string }) => [{ put: '/thing', value }];
  const first = await book.allocate({ pool: 'six', holder: blue }, use);
  expect(first).toEqual({ id: 'a1', pool: 'six', value: '2001:db8::/64', holder: blue, state: 'allocated' });
  const [thing, record] = await Promise.all(
    ['/thing', '/v1/pools/addresses/six/2001:db8::/64'].map((key) => store.get(key)),
  );
  expect([thing?.value, thing?.modRevision]).toEqual(['2001:db8::/64', record?.modRevision]);
  expect((await book.allocate({ kind: 'ipv6-prefix', holder: me })).value).toBe('2001:db8:0:1::/64');
  expect(book.list().map(({ id }) => id)).toEqual(['a1', 'a2']);
});

test('a value that is wanted is given, and refused when it is taken, rests, is used or is no block', async () => {
  const { book } = await addressBook();
  await book.createPool(addressPool(FOUR));
  book.usedBy(() => ['10.20.2.0/25', '192.168.0.0/16']);
  const take = (value: string) => book.allocate({ value, holder: me });
  await take('10.20.1.0/24');
  await book.allocate({ value: '10.20.3.0/24', holder: me });
  await book.release('10.20.3.0/24');
  await expect(take('10.20.1.0/24')).rejects.toMatchObject({ code: 'MESH_IPAM_TAKEN', retryable: false });
  await expect(take('10.20.3.0/24')).rejects.toMatchObject({ code: 'MESH_IPAM_TAKEN', retryable: true });
  await expect(take('10.20.2.0/24')).rejects.toMatchObject({ code: 'MESH_IPAM_TAKEN' });
  await expect(take('10.20.0.0/23')).rejects.toMatchObject({ code: 'MESH_IPAM_LENGTH' });
  await expect(take('10.21.0.0/24')).rejects.toMatchObject({ code: 'MESH_IPAM_OUTSIDE' });
  await expect(book.allocate({ pool: 'red', holder: me })).rejects.toMatchObject({ code: 'MESH_IPAM_POOL_UNKNOWN' });
  await expect(book.allocate({ kind: 'ipv4-address', holder: me })).rejects.toMatchObject({
    code: 'MESH_IPAM_POOL_UNKNOWN',
  });
  await expect(book.allocate({ holder: me })).rejects.toMatchObject({ code: 'MESH_USAGE' });
  // A network may take what it has already.
  expect((await book.allocate({ value: '10.20.2.0/24', holder: blue })).value).toBe('10.20.2.0/24');
});

test('who asks again with one id gets the same block, also after a restart, and also at the same time', async () => {
  const { book, store } = await addressBook();
  await book.createPool(addressPool());
  const request = { id: 'order-7', pool: 'six', holder: { kind: 'order', id: '7' } } as const;
  const [first, second] = await Promise.all([book.allocate(request), book.allocate(request)]);
  expect(second).toEqual(first);
  const { book: again } = await addressBook({ store });
  expect(await again.allocate(request)).toEqual(first);
  expect(again.list()).toHaveLength(1);
  await expect(again.allocate({ ...request, holder: me })).rejects.toMatchObject({ code: 'MESH_IPAM_TAKEN' });
});

test('who asks again with one id gets the same block, also when the answer of the store was lost', async () => {
  const disk = new MemoryStore();
  let lost = 0;
  const { book } = await addressBook({
    store: new MortalStore(
      disk,
      () => 0.5,
      () => lost-- > 0,
    ),
  });
  await book.createPool(addressPool());
  const request = { id: 'order-7', pool: 'six', holder: { kind: 'order', id: '7' } } as const;
  lost = 1;
  // The other one moves the cursor on, so that another attempt would find another block.
  await Promise.allSettled([book.allocate(request), book.allocate({ pool: 'six', holder: me })]);
  const given = await book.allocate(request);
  lost = 1;
  await book.release('a1');
  const { book: later } = await addressBook({ store: disk });
  const texts = (list: readonly Allocation[]) => list.map(({ id, value, state }) => `${id} ${value} ${state}`).sort();
  expect(texts(later.list())).toEqual(['a1 2001:db8:0:1::/64 resting', `order-7 ${given.value} allocated`]);
  expect(texts(book.list())).toEqual(texts(later.list()));
});

test('what is given back rests, also over a restart, and is the last to be given again', async () => {
  const { book, store, clock } = await addressBook();
  await book.createPool(addressPool(FOUR));
  for (let at = 0; at < 3; at++) await book.allocate({ pool: 'four', holder: me });
  expect(await book.release('a1')).toMatchObject({ state: 'resting', value: '10.20.0.0/24' });
  expect(await book.release('a1')).toMatchObject({ state: 'resting' });
  await clock.pass(3_600_000);
  await book.close();
  const { book: later } = await addressBook({ store, clock, prefix: 'b' });
  const take = () => later.allocate({ pool: 'four', holder: me });
  expect((await take()).value).toBe('10.20.3.0/24');
  await expect(take()).rejects.toMatchObject({
    code: 'MESH_IPAM_POOL_EXHAUSTED',
    message: 'pool four (10.20.0.0/22) has nothing left to give; 1 rest, the first for 3600 s more',
    retryable: true,
  });
  await clock.pass(3_600_000);
  await later.look();
  expect((await take()).value).toBe('10.20.0.0/24');
  await expect(take()).rejects.toMatchObject({ code: 'MESH_IPAM_POOL_EXHAUSTED', retryable: false });
});

test('a pool is made once, fits itself and overlaps no other; it goes when nothing is given and nothing rests', async () => {
  const { book, store } = await addressBook();
  const make = (parts: Parameters<typeof addressPool>[0]) => book.createPool(addressPool(parts));
  await make({});
  await expect(make({ cidr: '2001:db9::/32' })).rejects.toMatchObject({ code: 'MESH_ALREADY_MADE' });
  await expect(make({ name: 'b', cidr: '2001:db8:5::/48' })).rejects.toMatchObject({ code: 'MESH_IPAM_POOLS_OVERLAP' });
  const invalid = { code: 'MESH_IPAM_POOL_INVALID' };
  await expect(make({ name: 'b', cidr: '10.0.0.0/8' })).rejects.toMatchObject(invalid);
  await expect(make({ name: 'b', cidr: '2001:db9::/32', length: 63 })).rejects.toMatchObject(invalid);
  await expect(make({ name: 'b', cidr: 'fd00::/8' })).rejects.toMatchObject(invalid);
  await expect(make({ ...FOUR, length: 20 })).rejects.toMatchObject(invalid);
  await expect(make({ ...FOUR, reserved: ['10.21.0.0/24'] })).rejects.toMatchObject(invalid);
  // Two at once that overlap: one is made.
  const both = await Promise.allSettled([make({ ...FOUR, name: 'x' }), make({ ...FOUR, name: 'y' })]);
  expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  const most = Array.from({ length: 48 }, (_, at) => make({ name: `p${at}`, cidr: `2001:db9:${at + 1}::/48` }));
  const made = await Promise.allSettled(most);
  expect(made.filter(({ status }) => status === 'rejected')).toHaveLength(2);
  for (let at = 0; at < 46; at++) await book.deletePool(`p${at}`);
  await book.allocate({ pool: 'six', holder: me });
  await expect(book.deletePool('six')).rejects.toMatchObject({ code: 'MESH_IPAM_POOL_IN_USE' });
  await book.release('a1');
  await expect(book.deletePool('six')).rejects.toMatchObject({ code: 'MESH_IPAM_POOL_IN_USE' });
  await book.deletePool('six', true);
  await book.deletePool('x');
  expect((await store.range('')).entries).toEqual([]);
  await expect(book.deletePool('six')).rejects.toMatchObject({ code: 'MESH_IPAM_POOL_UNKNOWN' });
});

test('what is reserved is given only by its value, and a reserved block is confirmed or released', async () => {
  const { book } = await addressBook();
  await book.createPool(addressPool({ ...FOUR, reserved: ['10.20.0.0/24'], restSec: 0 }));
  const first = await book.allocate({ pool: 'four', holder: me, reserve: true });
  expect(first).toMatchObject({ value: '10.20.1.0/24', state: 'reserved' });
  const { allocation, move } = book.confirm(first, blue);
  await book.pools.write([move], []);
  expect(book.pools.find('a1')).toEqual(allocation);
  expect((await book.allocate({ value: '10.20.0.0/24', holder: me })).value).toBe('10.20.0.0/24');
  expect(book.pools.get('four').counts()).toEqual({ blocks: 4, reserved: 1, allocated: 2, resting: 0 });
  await book.release('a1');
  expect(book.list().map(({ value }) => value)).toEqual(['10.20.0.0/24']);
});

test('a store that takes nothing leaves the block free, and another epoch gives nothing that was given since the backup', async () => {
  const { book, store } = await addressBook({ store: new MemoryStore({ epoch: '1111111111111111' }) });
  await book.createPool(addressPool());
  const backup = (await store.range('')).entries;
  const refused = book.allocate({ pool: 'six', holder: me }, () => [
    { put: '/twice', value: '' },
    { put: '/twice', value: '' },
  ]);
  await expect(refused).rejects.toThrow();
  expect(book.list()).toEqual([]);
  expect((await book.allocate({ pool: 'six', holder: me })).value).toBe('2001:db8::/64');
  const restored = new MemoryStore({ epoch: '2222222222222222' });
  const changes = [...backup, ...(await store.range('/v1/pools/addresses/six')).entries];
  await restored.txn([], [...new Map(changes.map(({ key, value }) => [key, { put: key, value }])).values()]);
  const { book: after } = await addressBook({ store: restored, prefix: 'b' });
  expect((await after.allocate({ pool: 'six', holder: me })).value).toBe('2001:db8:0:101::/64');
});
