/** What tables keep, and what counts as a change: strangers must not fill the memory of a process, nor keep it busy. */
import { expect, test } from 'vitest';
import { portLink } from '../../../test/kit/trace-cluster.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { FdbEntry, Route } from '../rtnl/objects.ts';
import { type Keeps, KernelTables } from './kernel-tables.ts';

const MEMBER = '02:00:00:00:00:01' as Mac;
const OURS = 200;
const PORT = 5;
const VXLAN = 6;

/** Routes of ours, default routes, and IPv6 routes that can lead a part of a mesh elsewhere. */
function keeping(learned: Keeps['learned'] = () => true): Keeps {
  const length = (destination: string) => Number(destination.slice(destination.indexOf('/') + 1));
  const route = ({ family, protocol, destination }: Route) =>
    length(destination) === 0 || (family === 4 ? protocol === OURS : length(destination) >= 64);
  return { route, learned };
}

function entry(mac: string, more: Partial<FdbEntry> = {}): FdbEntry {
  return { table: 'master', link: PORT, mac: mac as Mac, state: 'dynamic', externLearn: false, sticky: false, ...more };
}

function take(cache: KernelTables, changed: FdbEntry, removed = false): boolean {
  return cache.take({ type: 'fdb', removed, entry: changed, echo: false });
}

const BRIDGE_PORTS = { links: [], addresses: [], routes: [], neighbours: [] };

test('learnt entries of strangers are counted, and are no change', () => {
  const cache = KernelTables.of(
    { ...BRIDGE_PORTS, fdb: [], otherFdb: [{ link: VXLAN, table: 'self', count: 7 }] },
    keeping(() => false),
  );
  cache.takeChanges();
  for (let number = 0; number < 200_000; number++) take(cache, entry(`06:00:00:00:00:${number}`));
  expect(cache.fdb.size).toBe(0);
  expect(cache.takeChanges()).toEqual({ topology: false, entries: [] });
  expect(cache.othersSinceDump).toBe(200_000);
  expect(cache.others).toEqual([{ link: VXLAN, table: 'self', count: 7 }]);
});

test('entries of the agent and of administrators are kept, and learnt ones of followed addresses', () => {
  const cache = new KernelTables(keeping((mac) => mac === MEMBER));
  expect(take(cache, entry('06:00:00:00:00:01', { externLearn: true }))).toBe(true);
  expect(take(cache, entry('06:00:00:00:00:02', { state: 'static' }))).toBe(true);
  expect(take(cache, entry('06:00:00:00:00:03', { state: 'permanent' }))).toBe(true);
  expect(take(cache, entry(MEMBER))).toBe(true);
  expect(take(cache, entry('06:00:00:00:00:04'))).toBe(false);
  expect(cache.fdb.size).toBe(4);
});

test('an entry that a stranger takes over is seen, also when its address is not followed any more', () => {
  const cache = new KernelTables(keeping(() => false));
  const own = entry(MEMBER, { table: 'self', link: VXLAN, remoteVtep: '10.0.0.1' as Ipv4, externLearn: true });
  take(cache, own);
  const moved = { ...own, remoteVtep: '10.0.0.2' as Ipv4, externLearn: false };
  expect(take(cache, moved)).toBe(true);
  expect(cache.entryAt(own)).toEqual(moved);
  expect(take(cache, moved, true)).toBe(true);
  expect(take(cache, moved)).toBe(false);
  expect(cache.fdb.size).toBe(0);
});

test('a port that leaves its bridge leaves no entry of the bridge behind, announced or not', () => {
  const port = { ...portLink(PORT, 'vx2'), master: 9 };
  const cache = KernelTables.of({ ...BRIDGE_PORTS, links: [port], fdb: [] }, keeping());
  take(cache, entry(MEMBER, { state: 'permanent' }));
  take(cache, entry(MEMBER, { table: 'self', state: 'permanent' }));
  cache.take({ type: 'link', echo: false, removed: false, link: { ...port, mtuBytes: 1380 } });
  expect(cache.fdb.size).toBe(2);
  cache.take({ type: 'link', echo: false, removed: false, link: { ...port, master: 0 } });
  expect([...cache.fdb.values()].map(({ table }) => table)).toEqual(['self']);
});

function route(destination: string, more: Partial<Route> = {}): Route {
  return { family: 4, destination, link: 2, table: 254, protocol: 186, scope: 0, metric: 0, ...more };
}

function takeRoute(cache: KernelTables, changed: Route): boolean {
  return cache.take({ type: 'route', removed: false, route: changed, echo: false });
}

test('the routes of a router are not kept, and are no change', () => {
  const cache = new KernelTables(keeping());
  cache.takeChanges();
  for (let i = 0; i < 20_000; i++) {
    expect(takeRoute(cache, route(`20.${i >> 8}.${i & 255}.0/24`))).toBe(false);
    expect(takeRoute(cache, route(`2001:db8:${i}::/48`, { family: 6 }))).toBe(false);
  }
  expect(cache.routes.size).toBe(0);
  expect(cache.takeChanges().topology).toBe(false);
  expect(takeRoute(cache, route('0.0.0.0/0'))).toBe(true);
});

test('a route of ours is gone when another one has taken its place', () => {
  const ours = route('10.12.0.0/24', { protocol: OURS, gateway: '10.11.0.1' as Ipv4 });
  const cache = KernelTables.of({ links: [], addresses: [], routes: [ours], neighbours: [], fdb: [] }, keeping());
  cache.takeChanges();
  expect(takeRoute(cache, route('10.12.0.0/24', { metric: 5, replaces: true }))).toBe(false);
  expect(cache.routes.size).toBe(1);
  expect(takeRoute(cache, route('10.12.0.0/24', { link: 1, replaces: true }))).toBe(true);
  expect(cache.routes.size).toBe(0);
  expect(cache.takeChanges().topology).toBe(true);
});

test('neighbours and IPv6 addresses of other links are no change', () => {
  const cache = KernelTables.of({ links: [portLink(2, 'eth2')], addresses: [], routes: [], neighbours: [], fdb: [] });
  cache.takeChanges();
  const address = 'fd00::1' as Ipv6;
  const plain = { family: 6, link: 2, address } as const;
  const neighbour = { ...plain, state: 'reachable', externLearn: false, protocol: 0 } as const;
  expect(cache.take({ type: 'neighbour', removed: false, neighbour, echo: false })).toBe(false);
  const added = { ...plain, length: 64, scope: 'global', tentative: false, nodad: false, protocol: 0 } as const;
  expect(cache.take({ type: 'address', removed: false, address: added, echo: false })).toBe(false);
  expect(cache.takeChanges()).toEqual({ topology: false, entries: [] });
});
