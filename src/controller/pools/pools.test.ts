/**
 * Pools: what is given, in which order, and that nothing is given twice, whatever fails and whenever host0 is killed. `MESH_SEED=N`
 * repeats a random run.
 */
import { expect, test } from 'vitest';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import { MortalStore } from '../../../test/kit/mortal-store.ts';
import { pick, randomFrom } from '../../../test/kit/random.ts';
import { ipRange, rangesOverlap } from '../../model/address/ip-range.ts';
import { type Ipv6Cidr, ipv6Subnet, parseIpv6 } from '../../model/address/ipv6.ts';
import { DEFAULT_NUMBER_RULES } from '../../model/network/number.ts';
import type { Store } from '../../store/store.ts';
import { NumberPool } from './number-pool.ts';
import { takeAndGive } from './pool.ts';
import { PortIds } from './port-ids.ts';
import { PrefixPool } from './prefix-pool.ts';

const hex = (number: number) => number.toString(16);
const anything = () => true;

test('numbers begin at 0x1000, leave out the well-known groups, and come back last', async () => {
  const store = new MemoryStore();
  // To look at all numbers of 24 bits takes seconds.
  const ranges = DEFAULT_NUMBER_RULES.ranges.map(({ first, last }) => ({ first, last: Math.min(last, 0x20fff) }));
  const rules = { ...DEFAULT_NUMBER_RULES, ranges };
  const pool = await NumberPool.open(store, { rules });
  const first = pool.allocate('network a', anything);
  const second = pool.allocate('network b', (number) => number !== 0x1001);
  await takeAndGive(store, [first.move, second.move], [], []);
  expect([first.number, second.number].map(hex)).toEqual(['1000', '1002']);
  await takeAndGive(store, [pool.give(0x1000)], [], []);
  expect(hex(pool.allocate('network c', anything).number)).toBe('1003');
  expect(hex(pool.allocate('network d', (number) => number > 0xffff).number)).toBe('20000');
  expect(hex(pool.allocate('network e', (number) => number < 0x1002).number)).toBe('1000');
});

test('a number that is given by hand is taken, and refused for another', async () => {
  const store = new MemoryStore();
  const pool = await NumberPool.open(store);
  await takeAndGive(store, [pool.take(0x1000, 'network a')], [], []);
  expect(() => pool.take(0x1000, 'network b')).toThrow('number 0x1000 is taken by network a');
  expect(hex(pool.allocate('network b', anything).number)).toBe('1001');
  expect((await NumberPool.open(store)).ownerOf(0x1000)).toBe('network a');
});

/** A clock on the wall, and a pool of four numbers of which one is reserved. */
async function resting(store: MemoryStore, restSec = 3_600) {
  const wall = { ms: Date.parse('2026-01-01T00:00:00Z') };
  const clock = { wallTime: () => new Date(wall.ms) };
  const rules = { ranges: [{ first: 0x10, last: 0x13 }], reserved: [{ first: 0x11, last: 0x11 }], restSec };
  const pool = await NumberPool.open(store, { rules, clock });
  const next = async (name: string) => {
    const { number, move } = pool.allocate(name, anything);
    await takeAndGive(store, [move], [], []);
    return hex(number);
  };
  const back = (number: number) => takeAndGive(store, [pool.give(number)], [], []);
  return { wall, pool, next, back };
}

test('a number that was given back rests, also over a restart, and is then given again; what is reserved never is', async () => {
  const store = new MemoryStore();
  const { next, back } = await resting(store);
  expect([await next('a'), await next('b'), await next('c')]).toEqual(['10', '12', '13']);
  await back(0x12);
  const { wall, pool, next: nextAfter } = await resting(store);
  expect(() => pool.allocate('d', anything)).toThrow(/all numbers of networks are taken, or rest/);
  expect(pool.taken.map(hex)).toEqual(['10', '13']);
  wall.ms += 3_599_000;
  expect(() => pool.allocate('d', anything)).toThrow();
  wall.ms += 1_000;
  expect(await nextAfter('d')).toBe('12');
  expect(pool.ownerOf(0x12)).toBe('d');
});

test('a number that rests is taken when it is given by hand, and rests on when that fails', async () => {
  const store = new MemoryStore();
  const { pool, next, back } = await resting(store);
  await next('a');
  await back(0x10);
  const failed = pool.take(0x10, 'b');
  expect(pool.ownerOf(0x10)).toBe('b');
  failed.undo();
  expect(pool.ownerOf(0x10)).toBeUndefined();
  expect(hex(pool.allocate('c', anything).number)).toBe('12');
  await takeAndGive(store, [pool.take(0x10, 'b')], [], []);
  expect((await resting(store)).pool.ownerOf(0x10)).toBe('b');
});

test('records of numbers that have rested are removed, and a clock that was set back makes none rest longer', async () => {
  const store = new MemoryStore();
  const { wall, next, back } = await resting(store);
  const records = async () => (await store.range('/v1/pools/numbers/')).entries.map(({ key }) => key.split('/').at(-1));
  for (const name of ['a', 'b', 'c']) await next(name);
  await back(0x10);
  wall.ms += 4_000_000;
  await back(0x12);
  expect(await records()).toEqual(['12', '13']);
  wall.ms -= 86_400_000;
  expect([await next('d'), await next('e')]).toEqual(['10', '12']);
});

test('prefixes are /64s of one /48, and overlap nothing', async () => {
  const store = new MemoryStore({ epoch: '0123456789abcdef' });
  const pool = await PrefixPool.open(store);
  const first = pool.allocate('network a');
  expect(first.prefix).toMatch(/^fd[0-9a-f]{2}:[0-9a-f]{1,4}:[0-9a-f]{1,4}:1::\/64$/);
  const site = ipv6Subnet(parseIpv6(first.prefix.replace('/64', '')), 62);
  const second = pool.allocate('network b', (prefix) =>
    rangesOverlap(ipRange(site), ipRange(prefix)) ? 'the site' : undefined,
  );
  expect(second.prefix).toMatch(/:4::\/64$/);
  expect(() => pool.take(ipv6Subnet(parseIpv6('fd00::'), 8), 'network c')).toThrow('overlaps');
});

test('the id of a port names its tap and its Ethernet address, and is never given again', async () => {
  const store = new MemoryStore();
  const ids = await PortIds.open(store);
  const { move, ...first } = ids.allocate('port of vm1');
  expect(first).toEqual({ id: '1', tap: 'v1', mac: '02:00:00:00:00:01' });
  await takeAndGive(store, [move], [], []);
  await takeAndGive(store, [ids.give('1')], [], []);
  expect((await PortIds.open(store)).allocate('port of vm2').id).toBe('2');
});

test('another epoch of the store gives none of the values that were given since the backup', async () => {
  const before = new MemoryStore({ epoch: '1111111111111111' });
  const opened = async (store: Store) => [await NumberPool.open(store), await PortIds.open(store)] as const;
  const [numbers, ids] = await opened(before);
  await takeAndGive(before, [numbers.allocate('network a', anything).move, ids.allocate('port 1').move], [], []);
  const restored = new MemoryStore({ epoch: '2222222222222222' });
  const { entries } = await before.range('');
  await restored.txn(
    [],
    entries.map(({ key, value }) => ({ put: key, value })),
  );
  const [numbersAfter, idsAfter] = await opened(restored);
  expect(hex(numbersAfter.allocate('network b', anything).number)).toBe('1101');
  expect(idsAfter.allocate('port 2').id).toBe('10002');
});

/** An object that uses a value of each pool. */
interface Thing {
  readonly number: number;
  readonly prefix: Ipv6Cidr;
  readonly port: string;
}

const THINGS = '/things/';

/** One life of host0: it makes and deletes things, many at a time, and is killed amid that. */
async function life(disk: Store, random: () => number, run: number): Promise<void> {
  const store = new MortalStore(disk, random);
  const [numbers, prefixes, ports] = [
    await NumberPool.open(store),
    await PrefixPool.open(store),
    await PortIds.open(store),
  ];
  const { entries } = await store.range(THINGS);
  const living = entries.map(({ key, value }) => ({ key, thing: JSON.parse(value) as Thing }));
  const make = async (name: string) => {
    const key = THINGS + name;
    const { number, move } = numbers.allocate(name, () => random() < 0.9);
    const prefix = prefixes.allocate(name);
    const port = ports.allocate(name);
    const thing: Thing = { number, prefix: prefix.prefix, port: port.id };
    // Some things exist already, so that the comparison fails.
    const at = { key: random() < 0.2 ? (living[0]?.key ?? key) : key, modRevision: 0 };
    await takeAndGive(store, [move, prefix.move, port.move], [at], [{ put: key, value: JSON.stringify(thing) }]);
  };
  const remove = async ({ key, thing }: { readonly key: string; readonly thing: Thing }) => {
    const moves = [numbers.give(thing.number), prefixes.give(thing.prefix), ports.give(thing.port)];
    await takeAndGive(store, moves, [], [{ delete: key }]);
  };
  const work: Promise<unknown>[] = [];
  for (let at = 0; at < 30; at++) {
    const over = random() < 0.5 ? living.pop() : undefined;
    work.push((over === undefined ? make(`${run}-${at}`) : remove(over)).catch(() => undefined));
    if (random() < 0.3) await Promise.resolve();
  }
  await Promise.race([Promise.all(work), new Promise((resolve) => setTimeout(resolve, pick(random, [0, 0, 1])))]);
  store.kill();
}

test('nothing is given twice, and everything that is given has its object, in any life of host0', async () => {
  const seed = Number(process.env.MESH_SEED ?? Math.floor(Math.random() * 2 ** 32));
  console.info(`MESH_SEED=${seed}`);
  const random = randomFrom(seed);
  const disk = new MemoryStore();
  const portsEver: string[] = [];
  const wrong: string[] = [];
  const watch = disk.watch(
    THINGS,
    1,
    ({ changes }) => {
      for (const change of changes) if ('put' in change) portsEver.push((JSON.parse(change.put.value) as Thing).port);
    },
    (error) => wrong.push(error.message),
  );
  for (let run = 0; run < 100; run++) {
    await life(disk, random, run);
    const things = (await disk.range(THINGS)).entries.map(({ value }) => JSON.parse(value) as Thing);
    const granted = async (pool: string) =>
      (await disk.range(`/v1/pools/${pool}/`)).entries.map(({ key }) => key.slice(`/v1/pools/${pool}/`.length)).sort();
    for (const [pool, used] of [
      ['numbers', things.map(({ number }) => hex(number))],
      ['prefixes', things.map(({ prefix }) => prefix as string)],
      ['ports', things.map(({ port }) => port)],
    ] as const) {
      if (new Set(used).size < used.length) wrong.push(`run ${run}: ${pool} has a value twice`);
      if (used.toSorted().join() !== (await granted(pool)).join())
        wrong.push(`run ${run}: ${pool} differs from its use`);
    }
  }
  watch.close();
  expect(wrong).toEqual([]);
  expect(portsEver.length).toBeGreaterThan(500);
  expect(new Set(portsEver).size).toBe(portsEver.length);
});
