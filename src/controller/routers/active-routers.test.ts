/** The active router of networks, on a clock that the test moves: routers die and come back, host0 starts anew. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import { storeNetwork } from '../../../test/kit/networks.ts';
import { randomFrom } from '../../../test/kit/random.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { NetworkNumber } from '../../model/network/number.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { ActiveRouters, type RoutedNetwork } from './active-routers.ts';
import { routedNetworks } from './routed-networks.ts';
import { chooseRouter, GIVEN_UP_AFTER_MS, type RouterCandidate } from './router-choice.ts';

const [A, B, C] = ['aaaaaaaa', 'bbbbbbbb', 'cccccccc'] as [MachineWord, MachineWord, MachineWord];
const BLUE = 0x1001 as NetworkNumber;
/** From the last sign of life to the choice of another router; a second is left for the assignment. */
const PROMISED_MS = 13_000;

const candidate = (machine: MachineWord, more: Partial<RouterCandidate> = {}): RouterCandidate => ({
  ...{ machine, stands: true, lastSignMs: 0, load: 0 },
  ...more,
});

test('the active router stays while it lives, and for 12 s after its last sign of life', () => {
  const silent = candidate(A, { stands: false, lastSignMs: 1_000 });
  expect(chooseRouter(A, [candidate(A, { load: 9 }), candidate(B)], 0)).toEqual({ active: A });
  expect(chooseRouter(A, [silent, candidate(B)], 12_999)).toEqual({ active: A, lookAtMs: 13_000 });
  expect(chooseRouter(A, [silent, candidate(B)], 1_000 + GIVEN_UP_AFTER_MS)).toEqual({ active: B });
  expect(chooseRouter(A, [silent], 99_000)).toEqual({ active: A });
});

test('a router that has lost the role is replaced at once, by the one with the fewest networks', () => {
  expect(chooseRouter(A, [candidate(B, { load: 3 }), candidate(C, { load: 2 })], 0)).toEqual({ active: C });
  expect(chooseRouter(A, [candidate(B, { stands: false })], 99_000)).toEqual({ active: undefined });
  expect(chooseRouter(undefined, [], 0)).toEqual({ active: undefined });
});

async function cluster(
  clock: ManualClock,
  store: MemoryStore,
  networks: () => readonly RoutedNetwork[],
  isUnread: (number: NetworkNumber) => boolean = () => false,
) {
  const journal = new Journal(clock, 'host0', 'host0');
  const moves: { readonly atMs: number; readonly to: MachineWord | undefined }[] = [];
  const routers = await ActiveRouters.open({ store, clock, journal, networks, isUnread });
  routers.changes.subscribe((number) => moves.push({ atMs: clock.nowMs(), to: routers.activeOf(number) }));
  return { routers, moves };
}

test('a dead router is followed by another within 13 s of its last sign of life', async () => {
  const clock = new ManualClock();
  const { routers, moves } = await cluster(clock, new MemoryStore(), () => [
    { number: BLUE, name: 'blue', routers: [A, B] },
  ]);
  routers.opened(A);
  await clock.pass(0);
  routers.opened(B);
  await clock.pass(60_000);
  expect(moves).toEqual([{ atMs: 0, to: A }]);
  // host0 finds out 9 s after the last answer.
  await clock.pass(9_000);
  routers.closed(A, 9_000);
  await clock.pass(PROMISED_MS - 9_000);
  expect(moves.slice(1)).toEqual([{ atMs: 60_000 + GIVEN_UP_AFTER_MS, to: B }]);
  // It comes back, and nothing moves: connections through the other one live.
  routers.opened(A);
  await clock.pass(60_000);
  expect(moves).toHaveLength(2);
});

test('an agent that restarts, and a host0 that restarts, move nothing', async () => {
  const [clock, store] = [new ManualClock(), new MemoryStore()];
  const networks = () => [{ number: BLUE, name: 'blue', routers: [A, B] }];
  const first = await cluster(clock, store, networks);
  first.routers.opened(B);
  first.routers.opened(A);
  await clock.pass(1_000);
  const active = first.routers.activeOf(BLUE);
  first.routers.closed(B);
  await clock.pass(5_000);
  first.routers.opened(B);
  await clock.pass(60_000);
  expect(first.moves.map(({ to }) => to)).toEqual([active]);
  first.routers.close();
  const second = await cluster(clock, store, networks);
  second.routers.look();
  await clock.pass(3_000);
  // The other one calls first.
  second.routers.opened(active === A ? B : A);
  await clock.pass(8_000);
  second.routers.opened(active as MachineWord);
  await clock.pass(60_000);
  expect(second.routers.activeOf(BLUE)).toBe(active);
  expect(second.moves).toEqual([]);
  second.routers.close();
  const third = await cluster(clock, store, networks);
  third.routers.opened(active === A ? B : A);
  await clock.pass(60_000);
  // The active one never calls.
  expect(third.routers.activeOf(BLUE)).toBe(active === A ? B : A);
});

test('a network that needs no router any more leaves nothing in the store', async () => {
  const [clock, store] = [new ManualClock(), new MemoryStore()];
  let networks: RoutedNetwork[] = [{ number: BLUE, name: 'blue', routers: [A] }];
  const { routers } = await cluster(clock, store, () => networks);
  routers.opened(A);
  await clock.pass(100);
  expect((await store.range('/v1/routers/')).entries).toHaveLength(1);
  networks = [];
  routers.look();
  await clock.pass(100);
  expect((await store.range('/v1/routers/')).entries).toEqual([]);
});

test('a network whose documents cannot be read keeps its router', async () => {
  const [clock, store] = [new ManualClock(), new MemoryStore()];
  const blue = { number: BLUE, name: 'blue', routers: [A, B] };
  const before = await cluster(clock, store, () => [blue]);
  before.routers.opened(B);
  await clock.pass(100);
  before.routers.close();
  let networks: RoutedNetwork[] = [];
  const { routers, moves } = await cluster(
    clock,
    store,
    () => networks,
    () => networks.length === 0,
  );
  routers.look();
  await clock.pass(100);
  expect((await store.range('/v1/routers/')).entries).toHaveLength(1);
  networks = [blue];
  routers.opened(A);
  routers.opened(B);
  await clock.pass(60_000);
  expect(routers.activeOf(BLUE)).toBe(B);
  expect(moves).toEqual([]);
});

test('a store that fails delays a move and loses none', async () => {
  const [clock, store] = [new ManualClock(), new MemoryStore()];
  const { routers } = await cluster(clock, store, () => [{ number: BLUE, name: 'blue', routers: [A] }]);
  const { txn } = store;
  let failures = 3;
  store.txn = async (...args) => {
    if (failures-- > 0) throw new Error('disk full');
    return await txn.apply(store, args);
  };
  routers.opened(A);
  await clock.pass(5_000);
  expect(routers.activeOf(BLUE)).toBe(A);
});

test('random faults: no move while the router lives, and none later than 13 s after its death while another lives', async () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  console.log(`seed ${seed}`);
  const random = randomFrom(seed);
  const [clock, all] = [new ManualClock(), [A, B, C]];
  const networks = () =>
    [1, 2, 3, 4].map((number) => ({ number: number as NetworkNumber, name: `n${number}`, routers: all }));
  const { routers, moves } = await cluster(clock, new MemoryStore(), networks);
  const life = new Map<MachineWord, { up: boolean; sinceMs: number }>();
  for (const machine of all) {
    routers.opened(machine);
    life.set(machine, { up: true, sinceMs: 0 });
  }
  await clock.pass(100);
  let deaths = 0;
  for (let step = 0; step < 400; step++) {
    const machine = all[Math.floor(random() * all.length)] as MachineWord;
    const { up } = life.get(machine) ?? { up: false };
    const silentMs = up ? Math.floor(random() * 9_000) : 0;
    await clock.pass(silentMs);
    if (up) {
      deaths += 1;
      routers.closed(machine, silentMs);
    } else routers.opened(machine);
    life.set(machine, { up: !up, sinceMs: clock.nowMs() - silentMs });
    const before = new Map(networks().map(({ number }) => [number, routers.activeOf(number)]));
    await clock.pass(Math.floor(random() * 20_000));
    for (const { number } of networks()) {
      const active = routers.activeOf(number) as MachineWord;
      const was = before.get(number) as MachineWord;
      if (was !== active) expect(life.get(was)?.up, `seed ${seed}: it moved from a router that lives`).toBe(false);
      const { up: lives, sinceMs } = life.get(active) ?? { up: false, sinceMs: 0 };
      const another = all.some((other) => life.get(other)?.up === true);
      if (!lives && another) expect(clock.nowMs() - sinceMs, `seed ${seed}`).toBeLessThanOrEqual(PROMISED_MS);
    }
  }
  console.log({ deaths, moves: moves.length });
  expect(moves.length).toBeGreaterThan(20);
});

test('a network needs an active router for what exists once: on nodes of the role, or on those named', () => {
  const blue = storeNetwork('blue', 0x1001);
  const roles = { machines: [A, B], of: (machine: MachineWord) => (machine === A ? ['router'] : ['disks']) };
  const called = (name: string) => (name === 'node3' ? C : undefined);
  const of = (...services: Parameters<typeof routedNetworks>[1]) =>
    routedNetworks(() => [blue], services, roles, called);
  expect(of()).toEqual([]);
  expect(of({ network: blue.number, service: { kind: 'ra' } })).toEqual([]);
  expect(of({ network: blue.number, service: { kind: 'nat44' } })).toMatchObject([{ name: 'blue', routers: [A] }]);
  const named = { kind: 'nat64', nodes: ['node3', 'unheard-of'] } as const;
  expect(of({ network: blue.number, service: named })).toMatchObject([{ routers: [C] }]);
  expect(of({ network: blue.number, service: named, removing: true })).toEqual([]);
  // One router has all that exists once: a node that serves a part of it cannot.
  const nat44 = { network: blue.number, service: { kind: 'nat44', nodes: ['node3', 'node1'] } } as const;
  const both = (name: string) => ({ node1: A, node3: C })[name];
  expect(routedNetworks(() => [blue], [nat44, { network: blue.number, service: named }], roles, both)).toMatchObject([
    { routers: [C] },
  ]);
});
