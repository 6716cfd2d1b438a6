/** What host0 gives each node: who is concerned by a change, the order in which a network is given up, restarts, orphans. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import { meshNumber } from '../../../test/kit/networks.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { MachineId, MachineWord } from '../../model/machine.ts';
import type { Network } from '../../model/network/network.ts';
import { Signal } from '../../model/signal.ts';
import { attachmentDigest } from '../../protocol/documents/node-assignment.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { readNodeAssignment } from '../../protocol/shapes/node-assignment-shape.ts';
import { Assignments } from './assignments.ts';
import type { NodePlace } from './node-places.ts';

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
  const answer = (machine: MachineWord) => {
    const assignment = assignments.assignmentOf(machine);
    if (assignment !== undefined) assignments.answered(machine, assignment);
  };
  answer(B);
  expect(seenBy(assignments, A)).not.toEqual({});
  answer(C);
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
