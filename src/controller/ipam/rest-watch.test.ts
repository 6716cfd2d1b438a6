/** What rests or is being made while host0 looks for blocks to free: nothing is freed that a network takes at that moment. */
import { expect, test } from 'vitest';
import { addressBook, addressPool, OutsideBlocks } from '../../../test/kit/address-book.ts';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import type { Change, Compare, TxnResult } from '../../store/store.ts';
import { NetworkCatalogue } from '../catalogue/network-catalogue.ts';
import { NumberPool } from '../pools/number-pool.ts';
import { NetworkBlocks } from './network-blocks.ts';
import type { AllocatorQuestion } from './outside-requests.ts';

const REST_SEC = 600;
const OUT = {
  ...{ name: 'out', kind: 'ipv4-subnet', cidr: '172.16.0.0/16', length: 24, restSec: REST_SEC },
  allocator: 'netbox',
};
const FOUR = { name: 'four', kind: 'ipv4-subnet', cidr: '10.20.0.0/16', length: 24, restSec: REST_SEC };

/** A store that holds transactions back which a test names. */
class HeldStore extends MemoryStore {
  holds: (changes: readonly Change[]) => boolean = () => false;
  readonly #free = Promise.withResolvers<void>();
  readonly #held = Promise.withResolvers<void>();
  /** Resolves when a transaction is held back. */
  readonly held = this.#held.promise;

  override async txn(
    compare: readonly Compare[],
    then: readonly Change[],
    otherwise?: readonly Change[],
  ): Promise<TxnResult> {
    if (this.holds(then)) {
      this.#held.resolve();
      await this.#free.promise;
    }
    return super.txn(compare, then, otherwise);
  }

  release(): void {
    this.#free.resolve();
  }
}

/** host0 whose network `blue` had some blocks of a pool, which have rested by now. */
async function host0(pool: typeof FOUR, count: number) {
  const store = new HeldStore();
  const outside = new OutsideBlocks(Array.from({ length: count }, (_, at) => `172.16.${at}.0/24`));
  let onRelease = async (): Promise<void> => undefined;
  const ask = async (_: string, question: AllocatorQuestion) => {
    if (question.operation === 'release') await onRelease();
    return outside.answer(question);
  };
  const { book, clock, journal } = await addressBook({ store, ask });
  const catalogue = await NetworkCatalogue.open({ store, clock, journal, blocks: new NetworkBlocks(book) });
  catalogue.setFiles([]);
  await book.createPool(addressPool(pool));
  const { network } = await catalogue.create({ name: 'blue' });
  const holder = { kind: 'network', id: network.id } as const;
  for (let at = 0; at < count; at++) await book.allocate({ pool: pool.name, holder });
  for (const { id } of book.list()) await book.release(id);
  const take = (cidr: string) => catalogue.edit('blue', { subnets: [{ cidr }] });
  const states = () => book.list().map(({ value, state }) => `${value} ${state}`);
  const rested = () => clock.pass(REST_SEC * 1_000);
  const atRelease = (work: typeof onRelease) => {
    onRelease = work;
  };
  return { book, catalogue, store, outside, take, states, rested, atRelease };
}

const putsNetwork = (changes: readonly Change[]) =>
  changes.some((one) => 'put' in one && one.put.includes('/networks/'));
const removesBlock = (changes: readonly Change[]) =>
  changes.some((one) => 'delete' in one && one.delete.includes('/addresses/'));

test('an allocator that is being told of a block is not told of another that the network takes back meanwhile', async () => {
  const { book, outside, take, states, rested, atRelease } = await host0(OUT, 2);
  atRelease(async () => {
    atRelease(async () => undefined);
    await take('172.16.1.0/24');
  });
  await rested();
  await book.look();
  expect(states()).toEqual(['172.16.1.0/24 allocated']);
  expect([...outside.given.values()]).toEqual(['172.16.1.0/24']);
  expect(book.requests).toEqual([]);
});

test('a block is not free while the transaction that takes it back is under way', async () => {
  const { book, store, outside, take, states, rested } = await host0(OUT, 1);
  store.holds = putsNetwork;
  const taking = take('172.16.0.0/24');
  await store.held;
  await rested();
  await book.look();
  store.release();
  await taking;
  expect(states()).toEqual(['172.16.0.0/24 allocated']);
  expect([...outside.given.values()]).toEqual(['172.16.0.0/24']);
  expect((await store.range('/v1/pools/addresses/out/')).entries).toHaveLength(1);
});

test('a block that is being made free is not taken back', async () => {
  const { book, store, outside, take, states, rested } = await host0(OUT, 1);
  store.holds = removesBlock;
  void rested();
  await store.held;
  await expect(take('172.16.0.0/24')).rejects.toMatchObject({ code: 'MESH_IPAM_TAKEN', retryable: true });
  store.release();
  await book.look();
  expect([states(), [...outside.given]]).toEqual([[], []]);
});

test('a network that is being made while the use of networks changes keeps its number and its blocks', async () => {
  const { book, catalogue, store } = await host0(FOUR, 0);
  store.holds = putsNetwork;
  const making = catalogue.create({ name: 'red', addressPools: ['four'] });
  await store.held;
  catalogue.usesChanged();
  store.release();
  const { network } = await making;
  // What the look has found to do is done before this.
  await catalogue.edit('red', { description: 'new' });
  expect(book.list()).toMatchObject([{ state: 'allocated', holder: { id: network.id } }]);
  expect((await NumberPool.open(store)).taken).toContain(network.number);
});

test('of many blocks that are made free, a network takes one back before its turn', async () => {
  const { book, store, take, states, rested } = await host0(FOUR, 60);
  store.holds = removesBlock;
  void rested();
  await store.held;
  await take('10.20.59.0/24');
  store.release();
  await book.look();
  expect(states()).toEqual(['10.20.59.0/24 allocated']);
  expect((await store.range('/v1/pools/addresses/four/')).entries).toHaveLength(1);
});
