/** Proves that comparing the open part gives the same steps as comparing everything, at every step of a random walk. */
import { expect, test } from 'vitest';
import { nodeInput } from '../../../test/kit/desired-input.ts';
import { board, member, manage as network } from '../../../test/kit/networks.ts';
import { pick, randomFrom } from '../../../test/kit/random.ts';
import { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import type { FdbEntry, KernelEvent, Link, Neighbour } from '../../kernel/rtnl/objects.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import { ipv6Subnet } from '../../model/address/ipv6.ts';
import { parseMachineId } from '../../model/machine.ts';
import { type Member, memberAddresses } from '../../model/network/member.ts';
import type { DesiredInput } from '../desired/assignment.ts';
import { DesiredItems, desiredItems } from '../desired/desired.ts';
import { type Item, itemMap } from '../items/item.ts';
import type { ItemKey } from '../items/item-kind.ts';
import { OUR_PROTOCOL } from '../items/mark.ts';
import { observedItems } from '../kernel/observed.ts';
import { Delta } from './delta.ts';
import { plan, printStep, type Step } from './plan.ts';

const machine = parseMachineId('10eff964');
const own = memberAddresses(network, machine);
const STEPS = 400;
const SEED = Number(process.env.MESH_SEED ?? Math.floor(Math.random() * 1e9));

/** host0, this node and others, with few addresses, so that a member often takes an address that another one had. */
const POOL: readonly Member[] = Array.from({ length: 24 }, (_, i) => {
  const word = i % 8 === 0 ? 'host0' : i % 8 === 1 ? machine : board(i % 8);
  return member(network, word, `10.11.0.${1 + (i % 5)}`, `node${i % 8}`);
});

function inputOf(members: readonly Member[], host0Answers: boolean, local: Ipv4): DesiredInput {
  return nodeInput([{ network, members, host0Answers }], { machine, local });
}

function text(steps: readonly Step[]): string[] {
  return steps.map(printStep).sort();
}

/** The kernel makes a route to the prefix of each address. */
const PREFIX_ROUTE = { family: 6, link: 1, table: 254, protocol: 2, scope: 0, metric: 256 } as const;

/** A node's two links as they are wanted, with the indexes 1 and 2. */
function linksOf(items: ReadonlyMap<ItemKey, Item>): Link[] {
  const common = { running: true, loopback: false, forwards: false };
  return [...items.values()].flatMap((item) => {
    if (item.kind !== 'link') return [];
    const { device, kind: _, network: __, master, vxlan, ...plain } = item;
    const [index, above] = device === 'bridge' ? [1, 0] : [2, master === '' ? 0 : 1];
    return [{ ...common, ...plain, kind: device, index, master: above, ...(vxlan !== undefined && { vxlan }) }];
  });
}

/** A random kernel event about a desired entry: added as desired, added with other values, or removed. */
function eventOf(random: () => number, item: Item): KernelEvent | undefined {
  const removed = random() < 0.4;
  if (item.kind === 'neighbour') {
    const mac = random() < 0.8 ? item.mac : pick(random, POOL).mac;
    if (random() < 0.4) {
      // A deleted entry first becomes a failed one without an Ethernet address. A learnt entry is not ours.
      const learned = random() < 0.5;
      const foreign: Neighbour = {
        family: 6,
        link: 1,
        address: item.address,
        state: learned ? 'reachable' : 'failed',
        externLearn: false,
        protocol: learned ? 0 : OUR_PROTOCOL,
        ...(learned && { mac }),
      };
      return { type: 'neighbour', removed: !learned && removed, neighbour: foreign, echo: false };
    }
    const common = { family: 6, state: 'permanent', externLearn: true } as const;
    const neighbour: Neighbour = { ...common, link: 1, address: item.address, mac, protocol: OUR_PROTOCOL };
    return { type: 'neighbour', removed, neighbour, echo: false };
  }
  if (item.kind !== 'fdb') return undefined;
  const { table, mac, state } = item;
  const remoteVtep = random() < 0.8 || item.remoteVtep === undefined ? item.remoteVtep : pick(random, POOL).ipv4;
  const common = { table, link: 2, mac, state, externLearn: random() < 0.8, sticky: false };
  const entry: FdbEntry = remoteVtep === undefined ? common : { ...common, remoteVtep };
  return { type: 'fdb', removed, entry, echo: false };
}

test('the open part gives the same steps as everything', () => {
  process.stdout.write(`MESH_SEED=${SEED}\n`);
  const random = randomFrom(SEED);
  const desired = new DesiredItems();
  const delta = new Delta();
  const cache = new KernelTables();
  let members: readonly Member[] = [];
  let answers = true;
  let local = '10.11.0.2' as Ipv4;
  let parts = 0;
  for (let step = 0; step < STEPS; step++) {
    if (random() < 0.5) {
      const taken = new Map(members.map((member) => [member.ipv6, member]));
      const member = pick(random, POOL);
      if (random() < 0.4) taken.delete(member.ipv6);
      else taken.set(member.ipv6, member);
      members = [...taken.values()];
    }
    if (random() < 0.1) answers = !answers;
    if (random() < 0.02) local = pick(random, ['10.11.0.2', '10.11.0.3'] as Ipv4[]);
    desired.update(inputOf(members, answers, local));
    expect(new Map([...desired.items].sort())).toEqual(
      new Map([...desiredItems(inputOf(members, answers, local))].sort()),
    );
    if (step % 20 === 0) {
      for (const link of linksOf(desired.items)) cache.take({ type: 'link', removed: false, link, echo: false });
      for (const ipv6 of [own.ipv6, own.linkLocal]) {
        cache.noteAddress(network.bridge.name, ipv6, 64);
        const route = { ...PREFIX_ROUTE, destination: ipv6Subnet(ipv6, 64) };
        cache.take({ type: 'route', removed: false, route, echo: false });
      }
    }
    const entries = [...desired.items.values()].filter(({ kind }) => kind === 'fdb' || kind === 'neighbour');
    for (let count = random() * 8; count > 0 && entries.length > 0; count--) {
      const event = eventOf(random, pick(random, entries));
      if (event !== undefined) cache.take(event);
    }

    const sides = delta.sides(cache, desired.items, desired.takeChanges());
    if (sides.desired !== desired.items) parts++;
    const options = { mayDelete: () => true };
    const isWanted = (key: ItemKey) => desired.items.has(key) || delta.isDisowned(key);
    const whole = plan(observedItems(cache, desired.items, isWanted), desired.items, options);
    const part = plan(sides.observed, sides.desired, options);
    expect(text(part)).toEqual(text(whole));
    delta.close(sides, part);
  }
  expect(parts).toBeGreaterThan(STEPS / 4);
});

test('a link that is not wanted any more is known as the agent’s own until a fresh dump has shown that it is gone', () => {
  const wanted = desiredItems(inputOf(POOL.slice(0, 1), true, '10.11.0.1' as Ipv4));
  const [[key, link] = []] = [...wanted].filter(([, item]) => item.kind === 'link');
  if (key === undefined || link === undefined) throw new TypeError('no link is wanted');
  const delta = new Delta();
  const pass = (cache: KernelTables, changed = new Map<ItemKey, Item | undefined>()) =>
    delta.close(delta.sides(cache, new Map(), changed), []);
  const cache = new KernelTables();
  pass(cache);
  // The event of its making was lost.
  pass(cache, new Map([[key, link]]));
  expect(delta.isDisowned(key)).toBe(true);
  pass(new KernelTables());
  expect(delta.isDisowned(key)).toBe(false);
});

test('what is observed apart from the kernel is compared in each pass: else it would be removed as not wanted', () => {
  const apart: readonly Item[] = [
    { kind: 'space', network: network.id, name: 'meshwork-1001', flaws: [] },
    { kind: 'file', path: '/files/conf', content: '', mode: 0o644 },
    { kind: 'process', name: 'radvd-1001', title: 'radvd', digest: '1', astray: false, needs: [] },
    { kind: 'sysctl', path: ['net', 'ipv4', 'ip_forward'], value: '1' },
  ];
  const desired = itemMap(apart);
  const [delta, cache] = [new Delta(), new KernelTables()];
  const keys = [...desired.keys()];
  const changed = new Map(keys.map((key) => [key, undefined]));
  for (const news of [changed, new Map()]) {
    const sides = delta.sides(cache, desired, news);
    expect([...sides.desired.keys()]).toEqual(keys);
    delta.close({ observed: new Map(desired), desired: sides.desired }, []);
  }
});
