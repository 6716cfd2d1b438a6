/** Kernel events in a real namespace: their contents, echoes and losses. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { inside, ip } from '../../../test/kit/namespaces.ts';
import { parseIpv4 } from '../../model/address/ipv4.ts';
import { parseMac } from '../../model/address/mac.ts';
import { type TemporaryNetns, temporaryNetns } from '../netns.ts';
import { Nft } from '../nft.ts';
import { KernelMonitor } from './monitor.ts';
import type { KernelEvent } from './objects.ts';
import type { KernelOperation } from './operation.ts';
import { Rtnl } from './rtnl.ts';

let netns: TemporaryNetns;
let monitor: KernelMonitor;
let events: KernelEvent[];
let heard: () => void;

function listen(ownPortIds: () => number[] = () => [], tables: readonly number[] = []): void {
  const { path } = netns;
  events = [];
  heard = () => {};
  monitor = KernelMonitor.open({ netns: path, ownPortIds, tables });
  monitor.events.subscribe((event) => {
    events.push(event);
    heard();
  });
}

/** The first event, past or future, that `wanted` accepts. */
async function event<T extends KernelEvent['type']>(
  type: T,
  wanted: (event: Extract<KernelEvent, { type: T }>) => boolean = () => true,
): Promise<Extract<KernelEvent, { type: T }>> {
  const isWanted = (each: KernelEvent) => each.type === type && wanted(each as Extract<KernelEvent, { type: T }>);
  for (;;) {
    const found = events.find(isWanted);
    if (found !== undefined) return found as Extract<KernelEvent, { type: T }>;
    await new Promise<void>((resolve) => {
      heard = resolve;
    });
  }
}

beforeEach(() => {
  netns = temporaryNetns();
});

afterEach(() => {
  monitor.close();
  netns.close();
});

test("reports other programs' changes: links, addresses, routes, neighbours, FDB entries, removals", async () => {
  listen();
  ip(
    netns.path,
    'link set lo up',
    'link add br1 type bridge',
    'link add v1 master br1 type vxlan id 1 dstport 4789',
    'link set br1 up alias here',
    'address add 10.1.0.1/24 dev br1',
    'route add 10.2.0.0/16 via 10.1.0.2 proto 200',
    'neigh add 10.1.0.2 lladdr 02:00:00:00:00:02 dev br1 nud permanent',
  );
  inside(netns.path, 'bridge', 'fdb', 'add', '02:00:00:00:00:02', 'dev', 'v1', 'dst', '10.9.0.2', 'self');
  inside(netns.path, 'ip', 'link', 'del', 'v1');
  expect((await event('link', ({ link }) => link.alias === 'here')).link).toMatchObject({ name: 'br1', up: true });
  expect((await event('address', ({ address }) => address.family === 4 && address.length === 24)).removed).toBe(false);
  expect((await event('route', ({ route }) => route.protocol === 200)).route.gateway).toBe('10.1.0.2');
  expect((await event('neighbour', ({ neighbour }) => neighbour.state === 'permanent')).neighbour.address).toBe(
    '10.1.0.2',
  );
  const entry = { table: 'self', remoteVtep: '10.9.0.2', state: 'permanent' };
  expect((await event('fdb', (fdb) => fdb.entry.table === 'self')).entry).toMatchObject(entry);
  await event('link', ({ removed, link }) => removed && link.name === 'v1');
  expect(events.every((each) => each.type === 'overflow' || !each.echo)).toBe(true);
});

test('reports rules, and routes of other tables if it shall', async () => {
  listen(undefined, [4789]);
  ip(
    netns.path,
    'link set lo up',
    'route add 10.2.0.0/16 dev lo table 4789',
    'route add 10.3.0.0/16 dev lo table 4790',
    'rule add pref 7 ipproto udp dport 4789 lookup 4789 protocol 200',
    'rule delete pref 7',
  );
  const rule = { priority: 7, table: 4789, protocol: 200, udp: { to: 4789 } };
  expect((await event('rule', ({ removed }) => !removed)).rule).toEqual(rule);
  expect((await event('rule', ({ removed }) => removed)).rule).toEqual(rule);
  const routes = events.flatMap((each) => (each.type === 'route' ? [each.route.destination] : []));
  expect(routes).toContain('10.2.0.0/16');
  expect(routes).not.toContain('10.3.0.0/16');
});

test("a bridge's message about a port becomes a port event, never an incomplete link", async () => {
  listen();
  ip(netns.path, 'link add br1 type bridge', 'link add p1 master br1 type veth peer name q1', 'link set br1 up');
  inside(netns.path, 'bridge', 'link', 'set', 'dev', 'p1', 'learning', 'off');
  const change = await event('port', ({ port }) => !port.learning);
  expect(change.port).toMatchObject({ learning: false, locked: false, odd: { 'port learning': 0 } });
  const links = events.flatMap((each) => (each.type === 'link' ? [each.link] : []));
  expect(links.find(({ index }) => index === change.link)?.name).toBe('p1');
  expect(links.every(({ kind }) => kind !== '')).toBe(true);
});

test('marks events of our own requests as echoes, where the kernel tells', async () => {
  const rtnl = await Rtnl.open({ netns: netns.path });
  try {
    listen(() => [rtnl.portId]);
    const mac = parseMac('02:00:00:00:00:02');
    const operations: readonly KernelOperation[] = [
      { do: 'link-add', kind: 'bridge', name: 'br1', up: true },
      { do: 'address-add', link: 'br1', address: parseIpv4('10.1.0.1'), length: 24 },
      { do: 'route-replace', destination: '10.2.0.0/16', gateway: parseIpv4('10.1.0.2'), protocol: 200 },
      { do: 'neighbour-replace', link: 'br1', address: parseIpv4('10.1.0.2'), mac, protocol: 200 },
    ];
    expect(await rtnl.apply(operations)).toEqual(operations.map(() => undefined));
    expect((await event('address', ({ address }) => address.family === 4)).echo).toBe(true);
    expect((await event('route', ({ route }) => route.protocol === 200)).echo).toBe(true);
    expect((await event('neighbour', ({ neighbour }) => neighbour.protocol === 200)).echo).toBe(true);
    events.length = 0;
    ip(netns.path, 'route del 10.2.0.0/16');
    expect((await event('route')).echo).toBe(false);
  } finally {
    await rtnl.close();
  }
});

test('drain emits all past events at once', () => {
  listen();
  ip(netns.path, 'link add br1 type bridge');
  inside(netns.path, 'nft', 'add table inet a; add table inet b');
  inside(netns.path, 'nft', 'add table inet c');
  expect(events).toEqual([]);
  monitor.drain();
  expect(events.filter(({ type }) => type === 'link')).toHaveLength(1);
  expect(events.filter(({ type }) => type === 'nft')).toEqual([{ type: 'nft', echo: false }]);
});

test("tells our nft transactions from other programs' ones", async () => {
  listen();
  const echoes = () => new Set(events.map((heard) => heard.type === 'nft' && heard.echo));
  const nft = await Nft.open({ netns: netns.path });
  await nft.run('add table inet ours');
  await nft.run('add table inet ours2');
  await nft.close();
  monitor.drain();
  expect(echoes()).toEqual(new Set([true]));
  events.length = 0;
  inside(netns.path, 'nft', 'add table inet theirs');
  monitor.drain();
  expect(echoes()).toEqual(new Set([false]));
});

test('reports lost events, and continues', async () => {
  ip(netns.path, 'link add br1 up type bridge');
  listen();
  ip(netns.path, ...Array.from({ length: 30_000 }, (_, i) => `link set br1 alias ${i}`));
  await event('overflow');
  events.length = 0;
  monitor.drain();
  events.length = 0;
  ip(netns.path, 'link add br2 type bridge');
  await event('link', ({ link }) => link.name === 'br2');
});

test('after a close inside a subscriber, no more events come', () => {
  let count = 0;
  monitor = KernelMonitor.open({ netns: netns.path });
  monitor.events.subscribe(() => {
    count++;
    monitor.close();
  });
  ip(netns.path, 'link add br1 type bridge', 'link add br2 type bridge');
  monitor.drain();
  expect(count).toBeGreaterThan(0);
  const countAtClose = count;
  ip(netns.path, 'link add br3 type bridge');
  monitor.drain();
  expect(count).toBe(countAtClose);
});
