/** What host0 gives each node: who is concerned by a change, the order in which a network is given up, restarts, orphans. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import { meshNumber } from '../../../test/kit/networks.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { MachineId, MachineWord } from '../../model/machine.ts';
import type { Network } from '../../model/network/network.ts';
import { Signal } from '../../model/signal.ts';
import { attachmentDigest } from '../../protocol/documents/node-assignment.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { readNodeAssignment } from '../../protocol/shapes/node-assignment-shape.ts';
import { NodeRoles } from '../machines/node-roles.ts';
import { PortBook } from '../ports/port-book.ts';
import { AssignmentEpoch } from './assignment-epoch.ts';
import { Assignments } from './assignments.ts';
import type { NodePlace } from './node-places.ts';
import { ORPHANS_OF_NODE_MAX } from './orphan-book.ts';
import { PortOrders } from './port-orders.ts';

/** A network whose peers host0 assigns. */
const assigned = (network: Network): Network => ({
  ...network,
  peers: { kind: 'assigned' },
  span: { kind: 'on-demand' },
});
const [blue, red] = [assigned(meshNumber(0)), assigned(meshNumber(1))];
const [A, B, C] = ['a0000000', 'b0000000', 'c0000000'] as [MachineId, MachineId, MachineId];

/** host0 with three nodes, of which none holds anything. `restart` gives a new process with the same store. */
async function host0(store = new MemoryStore()) {
  const clock = new ManualClock();
  const placeChanges = new Signal<MachineWord | undefined>();
  const world = {
    networks: [blue, red] as Network[],
    roles: await NodeRoles.open(store),
    book: await PortBook.open(store),
    places: new Map<MachineWord, NodePlace>(
      [A, B, C].map((machine, at) => [machine, { name: `node${at}`, underlay: `10.11.1.${at + 2}` as Ipv4 }]),
    ),
  };
  const concerned: MachineWord[] = [];
  const restart = async () => {
    const assignments = new Assignments({
      clock,
      journal: new Journal(clock, 'host0', 'host0'),
      store,
      places: { placeOf: (machine) => world.places.get(machine), changes: placeChanges },
      ports: world.book,
      epoch: await AssignmentEpoch.open({ store, journal: new Journal(clock, 'host0', 'host0'), leap: () => [] }),
      roles: world.roles,
      host0AddressFor: (viewer) => (viewer?.startsWith('10.11.') ? '10.11.1.1' : '10.12.1.1') as Ipv4,
    });
    assignments.subscribe((machine) => concerned.push(machine));
    await assignments.start();
    assignments.setNetworks({ revision: 1, networks: world.networks });
    return assignments;
  };
  const assignments = await restart();
  const news = () => concerned.splice(0).sort();
  return { assignments, restart, clock, world, placeChanges, news };
}

const plug = (...networks: string[]) => ({
  ports: networks.map((network, at) => ({ link: `tap${at}`, network })),
  orphans: [],
  digests: {},
});

/** The assignment of a node, as the node reads it. */
function given(assignments: Assignments, machine: MachineWord) {
  return readNodeAssignment(JSON.stringify(assignments.assignmentOf(machine))).assignment;
}

/** The networks of a node, each with the underlay addresses of its peers. */
function seenBy(assignments: Assignments, machine: MachineWord) {
  const { attachments } = given(assignments, machine);
  return Object.fromEntries(
    attachments.map(({ network, peers }) => [
      network.id,
      peers.kind === 'assigned' ? peers.peers.map(({ underlay }) => underlay) : peers.kind,
    ]),
  );
}

test('a node that plugs a port by the name of a network holds it, and the other holders hear of the node', async () => {
  const { assignments, news } = await host0();
  await assignments.reported(A, plug(blue.name));
  expect(news()).toEqual([A]);
  await assignments.reported(B, plug(blue.id, red.id));
  expect(news()).toEqual([A, B]);
  await assignments.reported(C, plug());
  expect(news()).toEqual([C]);
  expect(seenBy(assignments, A)).toEqual({ [blue.id]: ['10.11.1.2', '10.11.1.3'] });
  expect(seenBy(assignments, B)).toEqual({ [blue.id]: ['10.11.1.2', '10.11.1.3'], [red.id]: ['10.11.1.3'] });
  expect(seenBy(assignments, C)).toEqual({});
});

test('the same report again writes nothing and concerns no node', async () => {
  const store = new MemoryStore();
  const { assignments, news } = await host0(store);
  await assignments.reported(A, plug(blue.id));
  news();
  const { revision } = await store.range('/');
  await assignments.reported(A, plug(blue.id));
  expect((await store.range('/')).revision).toBe(revision);
  expect(news()).toEqual([]);
});

test('networks and peers are the same objects for all nodes, so that each is written and digested once', async () => {
  const { assignments } = await host0();
  for (const machine of [A, B]) await assignments.reported(machine, plug(blue.id));
  const [first, second] = [A, B].map((machine) => assignments.assignmentOf(machine)?.attachments[0]);
  expect(first?.network).toBe(second?.network);
  expect(first?.peers).toBe(second?.peers);
  expect(first && attachmentDigest(first)).toBe(second && attachmentDigest(second));
});

test('a node that gives up a network leaves the flood lists of the others before it loses the network', async () => {
  const { assignments, news } = await host0();
  for (const machine of [A, B, C]) {
    assignments.opened(machine, { unplug: async () => undefined });
    await assignments.reported(machine, plug(blue.id));
  }
  news();
  await assignments.reported(A, plug());
  expect(news()).toEqual([A, B, C]);
  expect(seenBy(assignments, B)).toEqual({ [blue.id]: ['10.11.1.3', '10.11.1.4'] });
  expect(seenBy(assignments, A)).toEqual({ [blue.id]: ['10.11.1.3', '10.11.1.4'] });
  answer(assignments, B);
  expect(seenBy(assignments, A)).not.toEqual({});
  answer(assignments, C);
  expect(news()).toEqual([A]);
  expect(seenBy(assignments, A)).toEqual({});
});

test('a node that does not answer is waited for two seconds, and one that is away not at all', async () => {
  const { assignments, clock, news } = await host0();
  for (const machine of [A, B, C]) {
    assignments.opened(machine, { unplug: async () => undefined });
    await assignments.reported(machine, plug(blue.id, red.id));
  }
  await assignments.reported(A, plug(red.id));
  assignments.closed(C);
  await clock.pass(1_999);
  expect(seenBy(assignments, A)).toHaveProperty(blue.id);
  news();
  await clock.pass(1);
  expect(news()).toEqual([A]);
  expect(seenBy(assignments, A)).not.toHaveProperty(blue.id);
  assignments.closed(B);
  await assignments.reported(A, plug());
  expect(seenBy(assignments, A)).toEqual({});
});

test('after a restart host0 knows the nodes that have not called yet, at their last addresses', async () => {
  const { assignments, restart, world } = await host0();
  for (const machine of [A, B]) await assignments.reported(machine, plug(blue.id));
  const before = assignments.assignmentOf(A)?.revision ?? 0;
  world.places.clear();
  const again = await restart();
  expect(seenBy(again, A)).toEqual({ [blue.id]: ['10.11.1.2', '10.11.1.3'] });
  expect(again.assignmentOf(A)?.revision).toBeGreaterThanOrEqual(before);
});

test('a node elsewhere, and a network that is changed, made, deleted or meant for all, concern their holders', async () => {
  const { assignments, world, placeChanges, news } = await host0();
  for (const machine of [A, B]) await assignments.reported(machine, plug(blue.id));
  await assignments.reported(C, plug('green'));
  news();
  world.places.set(A, { name: 'node0', underlay: '10.11.1.99' as Ipv4 });
  placeChanges.emit(A);
  expect(news()).toEqual([A, B]);
  expect(seenBy(assignments, B)).toEqual({ [blue.id]: ['10.11.1.99', '10.11.1.3'] });
  const green = { ...assigned(meshNumber(2)), name: 'green' };
  world.networks = [blue, red, green];
  assignments.setNetworks({ revision: 2, networks: world.networks });
  expect(news()).toEqual([C]);
  expect(seenBy(assignments, C)).toEqual({ [green.id]: ['10.11.1.4'] });
  world.networks = [{ ...red, span: { kind: 'everywhere' } }];
  assignments.setNetworks({ revision: 2, networks: world.networks });
  expect(news()).toEqual([A, B, C]);
  expect(seenBy(assignments, C)).toEqual({ [red.id]: ['10.11.1.99', '10.11.1.3', '10.11.1.4'] });
});

test('host0 is a peer at the address that the reader reaches', async () => {
  const { assignments, world } = await host0();
  world.places.set('host0', { name: 'host0', underlay: '10.11.1.1' as Ipv4 });
  world.places.set(B, { name: 'node1', underlay: '10.12.1.3' as Ipv4 });
  for (const machine of ['host0', A, B] as const) await assignments.reported(machine, plug(blue.id));
  expect(seenBy(assignments, A)).toEqual({ [blue.id]: ['10.11.1.2', '10.12.1.3', '10.11.1.1'] });
  expect(seenBy(assignments, B)).toEqual({ [blue.id]: ['10.11.1.2', '10.12.1.3', '10.12.1.1'] });
});

test('an orphan is released once, and forgotten when the node no longer has it', async () => {
  const { assignments } = await host0();
  const orphan = { kind: 'network', id: blue.id, epoch: 'old', document: {} } as const;
  const name = { kind: 'network', id: blue.id, epoch: 'old' } as const;
  await assignments.reported(A, { ...plug(), orphans: [orphan] });
  expect(assignments.orphans()).toEqual([{ machine: A, node: 'node0', ...orphan }]);
  await expect(assignments.release(B, name)).rejects.toThrow('no orphan');
  await assignments.release(A, name);
  const released = () => given(assignments, A).released;
  expect(released()).toEqual([name]);
  await assignments.reported(A, plug());
  expect(released()).toEqual([]);
});

test('nodes that are reached take the ports off a network that goes; the others are not waited for', async () => {
  const { assignments } = await host0();
  const asked: string[] = [];
  const reached = (machine: MachineId, outcome: () => Promise<void>) =>
    assignments.opened(machine, {
      unplug: ({ id }) => {
        asked.push(`${machine} ${id}`);
        return outcome();
      },
    });
  await assignments.reported(A, plug(blue.id));
  await assignments.reported(B, plug(blue.name));
  await assignments.reported(C, plug(red.id));
  reached(A, async () => undefined);
  reached(B, () => Promise.reject(new Error('it does not answer')));
  reached(C, async () => undefined);
  await assignments.use.unplug(blue.id);
  expect(asked.toSorted()).toEqual([`${A} ${blue.id}`, `${B} ${blue.id}`]);
  assignments.closed(A);
  await assignments.use.unplug(blue.id);
  expect(asked).toHaveLength(3);
});

/** The ports of a node, by their interfaces. */
const portsOf = (assignments: Assignments, machine: MachineWord) =>
  given(assignments, machine).ports.map(({ link }) => link);

/** The node takes its assignment as it is now. */
function answer(assignments: Assignments, machine: MachineWord): void {
  const assignment = assignments.assignmentOf(machine);
  if (assignment !== undefined) assignments.answered(machine, assignment);
}

const called = (name: string) => {
  const network = [blue, red].find((candidate) => candidate.name === name || candidate.id === name);
  if (network === undefined) throw new Error(`no network ${name}`);
  return network;
};

test('a port that host0 places is in the assignment of its node, with the network', async () => {
  const { assignments, world, news } = await host0();
  for (const machine of [A, B]) await assignments.reported(machine, plug());
  await assignments.reported(B, plug(blue.id));
  news();
  const orders = new PortOrders({ book: world.book, assignments, network: called, management: () => red });
  const made = await orders.create({ network: blue.name, node: 'node0' });
  expect(made).toMatchObject({ id: '1', interface: 'v1', mac: '02:00:00:00:00:01', node: 'node0', state: 'wanted' });
  expect(news()).toEqual([A, B]);
  const { ports, attachments } = given(assignments, A);
  expect(ports).toEqual([{ id: '1', network: blue.id, link: 'v1', mac: '02:00:00:00:00:01', tap: true }]);
  expect(attachments).toMatchObject([{ network: { id: blue.id }, reasons: ['port'] }]);
  expect(seenBy(assignments, B)).toEqual({ [blue.id]: ['10.11.1.2', '10.11.1.3'] });
  const ready = { kind: 'port', id: 'v1', state: 'ready' } as const;
  await assignments.reported(A, { ...plug(), objects: [ready] });
  expect(orders.list()).toMatchObject([{ id: '1', networkName: blue.name, state: 'plugged' }]);
  expect(assignments.use.ports(blue.id)).toContainEqual({ node: 'node0', interface: 'v1' });
  await expect(orders.create({ network: red.name, node: 'node0' })).rejects.toMatchObject({ code: 'MESH_PORT_UNFIT' });
  await expect(orders.create({ network: blue.name, node: 'node9' })).rejects.toMatchObject({
    code: 'MESH_NODE_UNKNOWN',
  });
  await assignments.use.unplug(blue.id);
  expect([portsOf(assignments, A), orders.list()]).toEqual([[], []]);
});

test('the new place of a port is heard before the old one forgets the port, and the network goes last', async () => {
  const { assignments, world, clock } = await host0();
  for (const machine of [A, B]) {
    assignments.opened(machine, { unplug: async () => undefined });
    await assignments.reported(machine, plug());
  }
  const { id } = await world.book.create({ network: blue.id, machine: A, node: 'node0', link: 'tap0' });
  await world.book.move(id, { machine: B, node: 'node1' });
  expect([portsOf(assignments, A), portsOf(assignments, B)]).toEqual([['tap0'], ['tap0']]);
  answer(assignments, A);
  expect([portsOf(assignments, A), Object.keys(seenBy(assignments, A))]).toEqual([['tap0'], [blue.id]]);
  answer(assignments, B);
  expect([portsOf(assignments, A), portsOf(assignments, B)]).toEqual([[], ['tap0']]);
  expect(Object.keys(seenBy(assignments, A))).toEqual([blue.id]);
  answer(assignments, B);
  expect(seenBy(assignments, A)).toEqual({});
  // A node that does not answer is waited for two seconds.
  await world.book.move(id, { machine: A, node: 'node0', link: 'tap1' });
  await clock.pass(1_999);
  expect([portsOf(assignments, A), portsOf(assignments, B)]).toEqual([['tap1'], ['tap0']]);
  await clock.pass(1);
  expect(portsOf(assignments, B)).toEqual([]);
  // One that is away is not waited for.
  assignments.closed(B);
  await world.book.move(id, { machine: B, node: 'node1' });
  expect(portsOf(assignments, A)).toEqual([]);
});

test('a port that moves back, or is deleted, before the move is done, is where it belongs', async () => {
  const { assignments, world, clock } = await host0();
  for (const machine of [A, B]) {
    assignments.opened(machine, { unplug: async () => undefined });
    await assignments.reported(machine, plug());
  }
  const { id } = await world.book.create({ network: blue.id, machine: A, node: 'node0' });
  await world.book.move(id, { machine: B, node: 'node1' });
  await world.book.move(id, { machine: A, node: 'node0' });
  expect([portsOf(assignments, A), portsOf(assignments, B)]).toEqual([['v1'], []]);
  await world.book.move(id, { machine: B, node: 'node1' });
  await world.book.remove(id);
  expect([portsOf(assignments, A), portsOf(assignments, B)]).toEqual([[], []]);
  await clock.pass(2_000);
  expect(seenBy(assignments, A)).toEqual({});
});

test('the ports of host0 survive its restart, and an id is never given twice', async () => {
  const store = new MemoryStore();
  const book = await PortBook.open(store);
  const order = { network: blue.id, machine: A, node: 'node0' };
  const first = await book.create(order);
  const kept = await book.create({ ...order, link: 'tap0', mac: '02:aa:00:00:00:01' as Mac });
  await book.remove(first.id);
  const again = await PortBook.open(store);
  expect(again.all).toEqual([kept]);
  expect(await again.create(order)).toMatchObject({ id: '3', link: 'v3', mac: '02:00:00:00:00:03' });
});

test('an interface is one port, and an Ethernet address is that of one port in a network', async () => {
  const book = await PortBook.open(new MemoryStore());
  const order = { network: blue.id, machine: A, node: 'node0' };
  const mac = '02:aa:00:00:00:01' as Mac;
  await book.create({ ...order, link: 'tap0', mac });
  await expect(book.create({ ...order, link: 'tap0' })).rejects.toMatchObject({ code: 'MESH_PORT_TAKEN' });
  await expect(book.create({ ...order, mac })).rejects.toMatchObject({ code: 'MESH_PORT_MAC_TWICE' });
  await expect(book.create({ ...order, mac: '03:00:00:00:00:01' as Mac })).rejects.toThrow('group address');
  expect(await book.create({ ...order, network: red.id, mac })).toMatchObject({ mac });
  expect(book.all).toHaveLength(2);
});

test('a port has a name and IP addresses of its own, and says so of the other port', async () => {
  const book = await PortBook.open(new MemoryStore());
  const order = { network: blue.id, machine: A, node: 'node0' };
  const addresses = ['10.0.0.5' as Ipv4, 'fd00::5' as Ipv6];
  const web = await book.create({ ...order, name: 'web', addresses, vm: 'web-1' });
  expect(book.find('web')).toBe(web);
  const twice = (more: object) => book.create({ ...order, machine: B, ...more });
  await expect(twice({ addresses: ['fd00::5'] })).rejects.toMatchObject({
    code: 'MESH_PORT_ADDRESS_TWICE',
    message: expect.stringContaining('port web (1)'),
  });
  await expect(twice({ mac: web.mac })).rejects.toMatchObject({ message: expect.stringContaining('port web (1)') });
  await expect(twice({ name: 'web' })).rejects.toMatchObject({ code: 'MESH_PORT_TAKEN' });
  await expect(twice({ name: '1f' })).rejects.toThrow('could be the id');
  for (const address of ['224.0.0.1', '0.0.0.0', 'ff02::1', 'fe80::5', '::']) {
    await expect(twice({ addresses: [address] }), address).rejects.toThrow('not the address of one station');
  }
  expect(await twice({ network: red.id, addresses })).toMatchObject({ id: '2', tap: true });
  // The interface of another program has the name of the next tap.
  await book.create({ ...order, link: 'v4' });
  expect(await book.create(order)).toMatchObject({ id: '5', link: 'v5' });
});

test('other nodes hear of the guests of a node, and not of what an interface may carry', async () => {
  const { assignments, world } = await host0();
  for (const machine of [A, B]) await assignments.reported(machine, plug());
  await assignments.reported(B, plug(blue.id));
  const order = { network: blue.id, machine: A, node: 'node0' };
  await world.book.create({ ...order, addresses: ['10.0.0.5' as Ipv4] });
  await world.book.create({ ...order, link: 'tap0' });
  const [attachment] = given(assignments, B).attachments;
  const peers = attachment !== undefined && 'peers' in attachment ? attachment.peers : undefined;
  const mac = '02:00:00:00:00:01';
  expect(peers).toMatchObject({ peers: [{ macs: [mac], neighbours: [{ address: '10.0.0.5', mac }] }, { macs: [] }] });
});

test('the store itself refuses an Ethernet address that another record has', async () => {
  const store = new MemoryStore();
  const order = { network: blue.id, machine: A, node: 'node0', mac: '02:aa:00:00:00:01' as Mac };
  const [one, two] = [await PortBook.open(store), await PortBook.open(store)];
  await one.create(order);
  await expect(two.create({ ...order, machine: B })).rejects.toMatchObject({ code: expect.stringContaining('TWICE') });
  expect(two.all).toEqual([]);
});

test('a network spans nodes by their names or ids, and by their roles, without a port', async () => {
  const { assignments, news, world } = await host0();
  await world.roles.add(B, 'router');
  world.networks = [
    { ...blue, span: { kind: 'nodes', nodes: ['node0', C] } },
    { ...red, span: { kind: 'roles', roles: ['router', 'edge'] } },
  ];
  assignments.setNetworks({ revision: 2, networks: world.networks });
  for (const machine of [A, B, C]) await assignments.reported(machine, plug());
  const held = () => [A, B, C].map((machine) => Object.keys(seenBy(assignments, machine)));
  expect(held()).toEqual([[blue.id], [red.id], [blue.id]]);
  expect(given(assignments, A).attachments[0]?.reasons).toEqual(['pinned']);
  await assignments.reported(A, plug(blue.id));
  expect(given(assignments, A).attachments[0]?.reasons).toEqual(['pinned', 'port']);
  news();
  await world.roles.add(C, 'edge');
  await world.roles.remove(B, 'router');
  expect(held()).toEqual([[blue.id], [], [blue.id, red.id]]);
  expect([...new Set(news())]).toEqual([B, C]);
});

test('over IPv6, a node is a peer from when it has told where its VTEP is, also after a restart of host0', async () => {
  const { assignments, restart, world } = await host0();
  world.networks = [{ ...blue, type: { ...blue.type, underlay: 'ipv6' } } as Network];
  assignments.setNetworks({ revision: 2, networks: world.networks });
  for (const machine of [A, B, C]) await assignments.reported(machine, plug(blue.id));
  expect(seenBy(assignments, A)).toEqual({ [blue.id]: [] });
  const tell = (machine: MachineWord, vtep: string) =>
    assignments.reported(machine, { ...plug(blue.id), vteps: { [blue.id]: vtep as Ipv6 } });
  await tell(A, 'fd00::a');
  await tell(B, 'fd00::b');
  // Nobody can reach a node there.
  for (const vtep of ['ff05::1', '::1', '::', 'fe80::1', '10.11.1.4']) await tell(C, vtep);
  expect(seenBy(assignments, A)).toEqual({ [blue.id]: ['fd00::a', 'fd00::b'] });
  assignments.closed(A);
  expect(seenBy(await restart(), B)).toEqual({ [blue.id]: ['fd00::a', 'fd00::b'] });
  await assignments.reported(B, plug(blue.id));
  expect(seenBy(assignments, A)).toEqual({ [blue.id]: ['fd00::a'] });
});

test('a node hears what host0 has heard of its ports', async () => {
  const { assignments } = await host0();
  await assignments.reported(A, { ...plug(), said: 'one' });
  expect(given(assignments, A).heard).toBe('one');
  await assignments.reported(A, { ...plug(blue.id), said: 'two' });
  expect(given(assignments, A)).toMatchObject({ heard: 'two', attachments: [{ network: { id: blue.id } }] });
});

test('made-up orphans are bounded, told, and forgotten with the key of the node', async () => {
  const { assignments, restart } = await host0();
  const epoch = 'old';
  const orphans = Array.from({ length: ORPHANS_OF_NODE_MAX + 5 }, (_, at) => {
    return { kind: 'network', id: `net-${(0x2000 + at).toString(16)}`, epoch, document: {} } as const;
  });
  await assignments.reported(A, { ...plug(), orphans });
  const { isOrphan } = assignments.use;
  const isTaken = (at: number) => isOrphan?.(0x2000 + at);
  expect([isTaken(0), isTaken(ORPHANS_OF_NODE_MAX - 1), isTaken(ORPHANS_OF_NODE_MAX)]).toEqual([true, true, false]);
  expect(assignments.orphans()).toHaveLength(ORPHANS_OF_NODE_MAX);
  expect(assignments.health()).toMatchObject([{ code: 'MESH_ASSIGNMENT_ORPHAN', object: 'node0' }]);
  const again = await restart();
  expect(again.use.isOrphan?.(0x2000)).toBe(true);
  await assignments.revoked(A);
  expect([isTaken(0), assignments.health()]).toEqual([false, []]);
  expect((await restart()).use.isOrphan?.(0x2000)).toBe(false);
});

test('a node whose key was revoked lets its orphans go when it comes back, and others may have their numbers by then', async () => {
  const { assignments, restart } = await host0();
  const port = { id: '1f', network: red.id, link: 'tap0', mac: '02:00:00:00:00:1f' };
  const names = [
    { kind: 'network', id: 'net-2000', epoch: 'old' },
    { kind: 'port', id: 'tap0', epoch: 'old' },
  ] as const;
  const orphans = [{ ...names[0], document: {} } as const, { ...names[1], document: port } as const];
  await assignments.reported(A, { ...plug(), orphans });
  // It does not call this run of host0 before its key is revoked.
  const again = await restart();
  expect([again.use.isOrphan?.(0x2000), again.orphanBook.hasPort('1f')]).toEqual([true, true]);
  await again.revoked(A);
  expect([again.use.isOrphan?.(0x2000), again.orphanBook.hasPort('1f')]).toEqual([false, false]);
  await again.reported(A, { ...plug(), orphans });
  expect(given(again, A)).toMatchObject({ attachments: [], released: names });
});

test('a store that has gone back has another epoch, and nothing that nodes have is taken for deleted', async () => {
  const store = new MemoryStore();
  const { assignments, restart } = await host0(store);
  await assignments.reported(A, plug(blue.id));
  const { epoch, revision, term } = given(assignments, A);
  const had = { assignment: { epoch, revision }, ...(term !== undefined && { term }) };
  // The same store, at the same place.
  const again = await restart();
  await again.reported(A, { ...plug(blue.id), ...had });
  expect(given(again, A).epoch).toBe(epoch);
  // Later than the store.
  await again.reported(A, { ...plug(blue.id), assignment: { epoch, revision: 1_000 } });
  const renewed = given(again, A).epoch;
  expect(renewed).not.toBe(epoch);
  // Who says so of an epoch that this run of host0 has made does not tell the truth.
  await again.reported(B, { ...plug(), assignment: { epoch: renewed, revision: 1_000 } });
  expect(given(again, A).epoch).toBe(renewed);
  expect(again.health()).toMatchObject([{ code: 'MESH_ASSIGNMENT_STALE', object: B }]);
  expect(given(await restart(), A).epoch).toBe(renewed);
});

test.each([
  ['a term that the store does not know', (epoch: string) => ({ assignment: { epoch, revision: 1 }, term: 'lost' })],
  [
    'an epoch after the present one',
    (epoch: string) => ({ assignment: { epoch: 'x', revision: 1 }, epochsBefore: [epoch] }),
  ],
])('a node that has %s shows that the store has gone back, also when its revision has passed', async (_, had) => {
  const { assignments } = await host0();
  await assignments.reported(A, plug(blue.id));
  const { epoch } = given(assignments, A);
  await assignments.reported(A, { ...plug(blue.id), ...had(epoch) });
  expect(given(assignments, A).epoch).not.toBe(epoch);
  expect(seenBy(assignments, A)).toHaveProperty(blue.id);
});

test('a node with an orphan port holds the network of the port, if the store has it, until the port is released', async () => {
  const { assignments, restart } = await host0();
  const port = { id: '1f', network: red.id, link: 'tap0', mac: '02:00:00:00:00:1f' };
  const orphan = { kind: 'port', id: 'tap0', epoch: 'old', document: port } as const;
  await assignments.reported(A, plug(red.id));
  await assignments.reported(B, { ...plug(), orphans: [orphan] });
  expect(seenBy(assignments, A)).toEqual({ [red.id]: ['10.11.1.2', '10.11.1.3'] });
  expect(given(assignments, B).attachments.map(({ network }) => network.id)).toEqual([red.id]);
  // Also before the node calls the next run of host0.
  const again = await restart();
  expect(seenBy(again, A)).toEqual({ [red.id]: ['10.11.1.2', '10.11.1.3'] });
  await again.reported(B, { ...plug(), orphans: [orphan] });
  await again.release(B, { kind: 'port', id: 'tap0', epoch: 'old' });
  expect(seenBy(again, A)).toEqual({ [red.id]: ['10.11.1.2'] });
});
