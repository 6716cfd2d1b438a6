/** Services as host0 orders them: what nodes are given, when a service is ready, and how a prefix and a service go. */
import { expect, test, vi } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import { storeNetwork } from '../../../test/kit/networks.ts';
import { PATIENCE } from '../../../test/kit/patience.ts';
import { type Ipv4, type Ipv4Cidr, parseIpv4Cidr } from '../../model/address/ipv4.ts';
import type { Ipv6, Ipv6Cidr } from '../../model/address/ipv6.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { Network } from '../../model/network/network.ts';
import type { Nat64Service } from '../../model/network/services/nat64.ts';
import { Signal } from '../../model/signal.ts';
import type { ObjectState, ObjectStatus } from '../../protocol/documents/node-assignment.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { NodeReports } from '../assignments/node-reports.ts';
import { ServiceBook } from './service-book.ts';
import { ServiceOrders } from './service-orders.ts';

const [A, B] = ['a0000000', 'b0000000'] as [MachineWord, MachineWord];
const [P1, P2, LONG] = ['fd00:b1::/64', 'fd00:b2::/64', 'fd00:b0::/48'] as [Ipv6Cidr, Ipv6Cidr, Ipv6Cidr];
const NAT64: Nat64Service = {
  kind: 'nat64',
  prefix: 'fd64:64::/96' as Ipv6Cidr,
  device: 'eth1',
  address: '203.0.113.1' as Ipv4,
  length: 24,
  block: '203.0.113.8/29' as Ipv4Cidr,
  maps: [],
};
const withPrefixes = (...subnets: Network['subnets']): Network => ({ ...storeNetwork('blue', 0x1001), subnets });

/** host0 with the network blue and two routers. */
async function host0(store = new MemoryStore()) {
  const clock = new ManualClock();
  const journal = new Journal(clock, 'host0', 'host0');
  const changes = new Signal<void>();
  const reports = new NodeReports();
  const world = {
    networks: [withPrefixes({ cidr: P1 })] as Network[],
    /** How many times the catalogue was listed. */
    looks: 0,
    /** Whether the holdings of nodes have been read. */
    holdings: true,
    /** The numbers of networks whose documents cannot be read. */
    spoilt: new Set<number>(),
    nodes: [A, B].map((machine) => ({ machine, name: `node-${machine[0]}`, roles: ['router'], isReached: true })),
  };
  const services = await ServiceBook.open({ store, clock, journal, networks: () => world.networks });
  const orders = new ServiceOrders({
    clock,
    journal,
    services,
    assignments: {
      ...{
        reports,
        subscribe: (listener: (machine: MachineWord) => void) => changes.subscribe(() => listener(A)),
        uses: changes,
      },
      knowsNodes: () => world.holdings,
      get nodes() {
        return world.holdings ? world.nodes : [];
      },
    },
    catalogue: {
      loaded: true,
      isSpoilt: (number) => world.spoilt.has(number),
      changes,
      views: () => {
        world.looks += 1;
        return world.networks.map((network) => ({ network, activity: { phase: 'active', id: 1 } }));
      },
      find: (wanted) => ({
        network: world.networks.find(({ name }) => name === wanted) ?? world.networks[0] ?? withPrefixes(),
        activity: { phase: 'active', id: 1 },
      }),
    },
  });
  const [blue] = world.networks;
  const given = (machine = A) => {
    const node = world.nodes.find((one) => one.machine === machine);
    const network = world.networks[0];
    const [service] = node === undefined || network === undefined ? [] : services.on(network, node);
    return service?.kind === 'ra' ? service : undefined;
  };
  return {
    clock,
    orders,
    services,
    world,
    blue,
    changed: () => changes.emit(),
    given,
    /** A router tells how the service is that it has now. */
    says(machine: MachineWord, state: ObjectState): void {
      const objects: ObjectStatus[] = [{ kind: 'service', id: given(machine)?.id ?? '', ...state }];
      reports.take(machine, { ports: [], orphans: [], digests: {}, objects });
      changes.emit();
    },
  };
}

const READY = { state: 'ready' } as const;
const advertised = (world: Awaited<ReturnType<typeof host0>>) =>
  world.given()?.advertisement.prefixes.map(({ prefix, preferredSec }) => `${prefix} ${preferredSec}`);

test('routers advertise the /64 subnets, but for those that say no', async () => {
  const world = await host0();
  world.world.networks = [
    withPrefixes({ cidr: P1 }, { cidr: P2, ra: false }, { cidr: LONG }, { cidr: parseIpv4Cidr('10.7.0.0/24') }),
  ];
  await world.orders.set('blue', { kind: 'ra', searchDomains: ['blue.example'] });
  expect(advertised(world)).toEqual([`${P1} 3600`]);
  expect(world.given()?.advertisement).toMatchObject({ lifetimeSec: 12, searchDomains: ['blue.example'] });
  expect(world.services.servedBy({ machine: A, name: 'node-a', roles: ['router'] })).toEqual(['net-1001']);
  expect(world.services.servedBy({ machine: A, name: 'node-a', roles: ['edge'] })).toEqual([]);
});

test('a service is ready when all routers whose channel stands confirm this revision', async () => {
  const world = await host0();
  expect(await world.orders.set('blue', { kind: 'ra' })).toMatchObject({ state: 'pending', ageSec: 0 });
  world.says(A, READY);
  await world.clock.pass(3_000);
  expect(world.orders.list('blue')).toMatchObject([
    {
      state: 'pending',
      why: 'node-b: the node has not told yet',
      ageSec: 3,
      nodes: [{ state: READY }, { node: 'node-b' }],
    },
  ]);
  world.says(B, READY);
  expect(world.orders.list('blue')).toMatchObject([{ state: 'ready', prefixes: [P1] }]);
  // What was said of the revision before does not count.
  await world.orders.set('blue', { kind: 'ra', searchDomains: ['example'] });
  expect(world.orders.list('blue')).toMatchObject([{ state: 'pending' }]);
  world.says(A, { state: 'failed', code: 'MESH_PROCESS_FAILED', message: 'radvd ended', remedy: '' });
  expect(world.orders.list('blue')).toMatchObject([{ state: 'failed', why: 'node-a: radvd ended' }]);
  world.says(A, READY);
  world.world.nodes = world.world.nodes.map((node) => ({ ...node, isReached: node.machine === A }));
  expect(world.orders.list('blue')).toMatchObject([
    { state: 'ready', nodes: [{}, { node: 'node-b', isReached: false }] },
  ]);
  await world.orders.set('blue', { kind: 'ra', nodes: ['node-c'] });
  expect(world.orders.list('blue')).toMatchObject([{ state: 'pending', nodes: [] }]);
});

test('a prefix that leaves the network is advertised with the lifetime 0, until all routers were heard doing so', async () => {
  const world = await host0();
  await world.orders.set('blue', { kind: 'ra' });
  world.world.networks = [withPrefixes({ cidr: P2 })];
  world.changed();
  await vi.waitFor(() => expect(advertised(world)).toEqual([`${P1} 0`, `${P2} 3600`]), PATIENCE);
  world.says(A, READY);
  expect(world.orders.list('blue')).toMatchObject([{ prefixes: [P2], withdrawn: [P1], state: 'pending' }]);
  world.says(B, READY);
  await vi.waitFor(() => expect(advertised(world)).toEqual([`${P2} 3600`]), PATIENCE);
});

test('a command that comes while another record is written is not overwritten', async () => {
  const store = new MemoryStore();
  const world = await host0(store);
  const [blue, red] = [withPrefixes({ cidr: P1 }), { ...storeNetwork('red', 0x1002), subnets: [{ cidr: P1 }] }];
  world.world.networks = [blue, red];
  await world.services.put({ format: 1, network: blue.number, service: { kind: 'ra' }, announced: [P1] });
  await world.services.put({ format: 1, network: red.number, service: { kind: 'ra' }, announced: [P1] });
  const { txn } = store;
  const [held, free] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  store.txn = async (...args) => {
    if (JSON.stringify(args).includes('/v1/networks/1001/')) {
      held.resolve();
      await free.promise;
    }
    return await txn.apply(store, args);
  };
  world.world.networks = [blue, red].map((network) => ({ ...network, subnets: [{ cidr: P1 }, { cidr: P2 }] }));
  world.changed();
  await held.promise;
  const before = world.services.find(red, 'ra');
  const service = { kind: 'ra', searchDomains: ['red.example'] } as const;
  await world.services.put({ format: 1, network: red.number, ...before, service });
  free.resolve();
  const settled = { service, announced: [P1, P2] };
  await vi.waitFor(() => expect(world.services.find(red, 'ra')).toMatchObject(settled), PATIENCE);
});

test('many statuses at once are one look, and none where no network has services', async () => {
  const world = await host0();
  const burst = async () => {
    await world.clock.pass(0);
    world.world.looks = 0;
    for (let status = 0; status < 100; status++) world.changed();
    await world.clock.pass(0);
    return world.world.looks;
  };
  expect(await burst()).toBe(0);
  await world.orders.set('blue', { kind: 'ra' });
  expect(await burst()).toBe(1);
  // The last change of a burst is never missed.
  world.world.networks = [withPrefixes({ cidr: P1 }, { cidr: P2 })];
  world.changed();
  await vi.waitFor(() => expect(advertised(world)).toEqual([`${P1} 3600`, `${P2} 3600`]), PATIENCE);
});

test('a service that is removed says goodbye, and its document goes when all routers were heard', async () => {
  const store = new MemoryStore();
  const world = await host0(store);
  await world.orders.set('blue', { kind: 'ra' });
  expect((await store.get('/v1/networks/1001/services/ra'))?.value).toContain(P1);
  await world.orders.remove('blue', 'ra');
  expect(world.given()?.advertisement).toMatchObject({ lifetimeSec: 0, prefixes: [{ prefix: P1, validSec: 0 }] });
  world.says(A, READY);
  world.says(B, READY);
  await vi.waitFor(() => expect(world.orders.list('blue')).toEqual([]), PATIENCE);
  expect(await store.get('/v1/networks/1001/services/ra')).toBeUndefined();
  await expect(world.orders.remove('blue', 'ra')).rejects.toMatchObject({ code: 'MESH_OBJECT_UNKNOWN' });
});

test('a service goes with its network', async () => {
  const store = new MemoryStore();
  const world = await host0(store);
  await world.orders.set('blue', { kind: 'ra' });
  world.world.networks = [];
  world.changed();
  await vi.waitFor(async () => expect(await store.get('/v1/networks/1001/services/ra')).toBeUndefined(), PATIENCE);
});

test('a service stays while the document of its network cannot be read', async () => {
  const store = new MemoryStore();
  const world = await host0(store);
  await world.orders.set('blue', { kind: 'ra', searchDomains: ['blue.example'] });
  const red = storeNetwork('red', 0x1002);
  world.world.networks = [...world.world.networks, red];
  await world.services.put({ format: 1, network: red.number, service: { kind: 'ra' } });
  world.world.networks = [];
  world.world.spoilt.add(0x1001);
  world.changed();
  await vi.waitFor(async () => expect(await store.get('/v1/networks/1002/services/ra')).toBeUndefined(), PATIENCE);
  expect((await store.get('/v1/networks/1001/services/ra'))?.value).toContain('blue.example');
});

test('a document of a service that cannot be read makes its network unread', async () => {
  const store = new MemoryStore();
  await store.txn([], [{ put: '/v1/networks/1001/services/nat64', value: '{ some_service }' }]);
  const { services } = await host0(store);
  const unread = [0x1001, 0x100, 0x1002].map((number) => services.isUnread({ number: number as Network['number'] }));
  expect(unread).toEqual([true, false, false]);
});

test('a network that cannot be served is refused, and a document that cannot be read is told', async () => {
  const store = new MemoryStore();
  await store.txn([], [{ put: '/v1/networks/1001/services/ra', value: '{ some_service }' }]);
  const world = await host0(store);
  expect(world.services.health()).toMatchObject([
    { code: 'MESH_STATE_DAMAGED', object: '/v1/networks/1001/services/ra' },
  ]);
  // As the remedy says.
  await world.orders.set('blue', { kind: 'ra' });
  expect(world.services.health()).toEqual([]);
  world.world.networks = [{ ...withPrefixes(), hostAddress: { kind: 'per-node' } }];
  await expect(world.orders.set('blue', { kind: 'ra' })).rejects.toMatchObject({ code: 'MESH_NET_NOT_SUPPORTED' });
  world.world.networks = [{ ...withPrefixes(), source: 'file' }];
  await expect(world.orders.set('blue', { kind: 'ra' })).rejects.toMatchObject({ code: 'MESH_NET_SOURCE' });
});

test('a NAT64 takes no address that is given away, and none from a machine', async () => {
  const { orders, services, world } = await host0();
  const red = { ...storeNetwork('red', 0x1002), subnets: [{ cidr: P2 }] };
  const maps = [{ vm: 'web', ipv4: '203.0.113.9' as Ipv4, ipv6: 'fd00:b2::9' as Ipv6 }];
  world.networks = [...world.networks, red];
  await services.put({ format: 1, network: red.number, service: { ...NAT64, maps }, removing: true });
  const set = (name: string, more: Partial<Nat64Service>) => orders.set(name, { ...NAT64, ...more });
  const mapped = (by: string) => ({ code: 'MESH_ADDRESS_MAPPED', message: expect.stringContaining(`taken by ${by}`) });
  await expect(set('blue', {})).rejects.toMatchObject(mapped('the router of red'));
  await expect(set('blue', { address: '203.0.113.9' as Ipv4 })).rejects.toMatchObject(mapped('web'));
  await expect(set('red', { address: '203.0.113.9' as Ipv4 })).rejects.toMatchObject(mapped('web'));
  for (const more of [{ block: '203.0.113.16/29' as Ipv4Cidr }, { gateway: '203.0.113.9' as Ipv4 }])
    await expect(set('red', more)).rejects.toMatchObject({
      code: 'MESH_USAGE',
      message: expect.stringContaining('web'),
    });
  expect(await set('red', { block: '203.0.113.0/28' as Ipv4Cidr })).toMatchObject({ service: { maps } });
  // Both at once: one of them has the address.
  world.networks = [...world.networks, { ...red, name: 'green', number: 0x1003 as Network['number'] }];
  const both = await Promise.allSettled(['blue', 'green'].map((name) => set(name, { address: '203.0.113.2' as Ipv4 })));
  expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
});

test('DNS64 is refused where no NAT64 leads out by its prefix', async () => {
  const { orders } = await host0();
  const dns64 = { kind: 'dns64', prefix: NAT64.prefix, forwarders: [] } as const;
  const remedy = expect.stringContaining('set blue nat64');
  await expect(orders.set('blue', dns64)).rejects.toMatchObject({ code: 'MESH_NET_NOT_SUPPORTED', remedy });
  await orders.set('blue', NAT64);
  await expect(orders.set('blue', { ...dns64, prefix: 'fd64:65::/96' as Ipv6Cidr })).rejects.toMatchObject({
    ...{ code: 'MESH_USAGE', remedy: 'Use --prefix fd64:64::/96.' },
  });
  expect(await orders.set('blue', dns64)).toMatchObject({ service: dns64 });
  const first = expect.stringContaining('service remove blue dns64');
  await expect(orders.remove('blue', 'nat64')).rejects.toMatchObject({ code: 'MESH_NET_NOT_SUPPORTED', remedy: first });
  await orders.remove('blue', 'dns64');
  await orders.remove('blue', 'nat64');
  await expect(orders.set('blue', dns64)).rejects.toMatchObject({ code: 'MESH_NET_NOT_SUPPORTED' });
});

const DHCP6 = { kind: 'dhcp6', mode: 'stateful', hosts: [], leaseSec: 3_600 } as const;

test('no share is taken from nodes before host0 has read which nodes there are', async () => {
  const { orders, services, world, blue, changed } = await host0();
  await orders.set('blue', DHCP6);
  const shares = () => blue && services.find(blue, 'dhcp6')?.shares;
  const before = shares();
  expect(before?.map(({ machine }) => machine)).toEqual([A, B]);
  world.holdings = false;
  changed();
  await orders.set('blue', { ...DHCP6, leaseSec: 7_200 });
  expect(shares()).toEqual(before);
  world.holdings = true;
  world.nodes = world.nodes.slice(0, 1);
  changed();
  await vi.waitFor(() => expect(shares()?.map(({ machine }) => machine)).toEqual([A]), PATIENCE);
});

test('a service whose network has lost its addresses waits, and tells why', async () => {
  const { orders, world } = await host0();
  await orders.set('blue', DHCP6);
  await orders.set('blue', {
    ...{ kind: 'dns', hosts: [], srv: [], txt: [], forwarders: [], localOnly: true },
  });
  world.networks = [withPrefixes()];
  expect(orders.list('blue').map(({ state, why }) => `${state} ${why}`)).toEqual([
    'pending node-a: the network has no /64 in which addresses could be given',
    'pending node-a: the network has no address at which DNS could answer',
  ]);
});
