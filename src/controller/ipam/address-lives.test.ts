/**
 * Random lives of host0, each killed at any operation of the store or of an outside allocator, whose answers may be lost: nothing is given twice, nothing is
 * lost, and what rests goes on resting. `MESH_SEED=N` repeats a run.
 */
import { expect, test } from 'vitest';
import { addressBook, addressPool, OutsideBlocks } from '../../../test/kit/address-book.ts';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import { MortalStore } from '../../../test/kit/mortal-store.ts';
import { pick, randomFrom } from '../../../test/kit/random.ts';
import type { AllocatorQuestion } from './outside-requests.ts';

const THINGS = '/things/';
const REST_SEC = 600;
const OUTSIDE = Array.from({ length: 24 }, (_, at) => `203.0.113.${at}`);

/** An object that uses a block. */
interface Thing {
  readonly id: string;
  readonly value: string;
}

test('nothing is given twice or lost, and nothing ceases to rest, in any life of host0', async () => {
  const seed = Number(process.env.MESH_SEED ?? Math.floor(Math.random() * 2 ** 32));
  console.info(`MESH_SEED=${seed}`);
  const random = randomFrom(seed);
  const disk = new MemoryStore();
  const clock = new ManualClock();
  const outside = new OutsideBlocks(OUTSIDE);
  const wrong: string[] = [];
  let [given, rested] = [0, 0];
  /** When each block was given back last. */
  const freed = new Map<string, number>();
  const things = async () => (await disk.range(THINGS)).entries.map(({ value }) => JSON.parse(value) as Thing);
  const watch = disk.watch(
    THINGS,
    1,
    ({ changes }) => {
      for (const change of changes) {
        if (!('put' in change)) continue;
        given++;
        const { value } = JSON.parse(change.put.value) as Thing;
        const atMs = freed.get(value);
        if (atMs === undefined) continue;
        rested++;
        if (clock.nowMs() - atMs < REST_SEC * 1_000) wrong.push(`${value} was given again too early`);
      }
    },
    (error) => wrong.push(error.message),
  );

  for (let life = 0; life < 120; life++) {
    const store = new MortalStore(disk, random, () => random() < 0.1);
    let isDead = false;
    const ask = async (_: string, question: AllocatorQuestion) => {
      for (let turn = Math.floor(random() * 4); turn > 0; turn--) await Promise.resolve();
      if (isDead) return new Promise<never>(() => {});
      // It fails before it has done its work, or after.
      if (random() < 0.1) throw new Error('no answer');
      const answer = outside.answer(question);
      if (random() < 0.1) throw new Error('the answer was lost');
      return isDead ? new Promise<never>(() => {}) : answer;
    };
    const { book } = await addressBook({ store, clock, ask, prefix: `l${life}-` });
    const living = await things();
    const kinds = ['six', 'four', 'one'];
    if (life === 0) {
      await disk.txn([], []);
      const { book: maker } = await addressBook({ store: disk, clock });
      await maker.createPool(addressPool({ cidr: '2001:db8::/59', restSec: REST_SEC }));
      await maker.createPool(
        addressPool({ name: 'four', kind: 'ipv4-subnet', cidr: '10.0.0.0/19', length: 24, restSec: REST_SEC }),
      );
      await maker.createPool(
        addressPool({
          name: 'one',
          kind: 'ipv4-address',
          cidr: '203.0.113.0/24',
          length: 32,
          restSec: REST_SEC,
          allocator: 'n',
        }),
      );
      await maker.close();
      continue;
    }
    const work: Promise<unknown>[] = [];
    for (let at = 0; at < 12; at++) {
      const over = random() < 0.5 ? living.pop() : undefined;
      if (over !== undefined) {
        work.push(
          book.release(over.id, ({ value }) => {
            freed.set(value, clock.nowMs());
            return [{ delete: THINGS + over.id }];
          }),
        );
      } else {
        const holder = { kind: 'order', id: `o${life}-${at}` } as const;
        const use = ({ id, value }: Thing) => [{ put: THINGS + id, value: JSON.stringify({ id, value }) }];
        work.push(book.allocate({ pool: pick(random, kinds), holder }, use));
      }
      if (random() < 0.3) await Promise.resolve();
    }
    for (const one of work) one.catch(() => undefined);
    await Promise.race([
      Promise.allSettled(work),
      new Promise((resolve) => setTimeout(resolve, pick(random, [0, 0, 1]))),
    ]);
    await clock.pass(pick(random, [0, 10_000, 70_000, 400_000]));
    store.kill();
    isDead = true;
    void book.close();

    const { book: reader } = await addressBook({ store: disk, clock });
    const held = reader.list().filter(({ state }) => state !== 'resting');
    const used = await things();
    const text = (list: readonly Thing[]) => list.map(({ id, value }) => `${id} ${value}`).sort();
    if (text(held).join() !== text(used).join()) wrong.push(`life ${life}: what is given differs from what is used`);
    if (new Set(used.map(({ value }) => value)).size < used.length) wrong.push(`life ${life}: a block is given twice`);
    const known = new Set([...reader.list(), ...reader.requests].map(({ id }) => id));
    for (const id of outside.given.keys()) if (!known.has(id)) wrong.push(`life ${life}: outside, ${id} is lost`);
    for (const one of reader.list().filter(({ pool }) => pool === 'one')) {
      if (outside.given.get(one.id) !== one.value)
        wrong.push(`life ${life}: outside, ${one.value} is not that of ${one.id}`);
    }
    void reader.close();
  }

  // In the end, in a life without faults, all is taken back that nobody uses.
  const { book } = await addressBook({ store: disk, clock, ask: async (_, question) => outside.answer(question) });
  for (const { id } of await things()) await book.release(id, () => [{ delete: THINGS + id }]);
  await clock.pass(2 * REST_SEC * 1_000);
  await book.look();
  expect([book.list(), book.requests, [...outside.given]]).toEqual([[], [], []]);
  watch.close();
  expect(wrong).toEqual([]);
  expect(given).toBeGreaterThan(200);
  expect(rested).toBeGreaterThan(20);
});
