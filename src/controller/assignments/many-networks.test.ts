/** Networks that change one by one: a node has what it would have if all were read anew, and hears nothing of those of others. */
import { expect, onTestFinished, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import { pick, randomFrom } from '../../../test/kit/random.ts';
import { assignmentText } from '../../api/channel/assignment-text.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { MachineId, MachineWord } from '../../model/machine.ts';
import { Signal } from '../../model/signal.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { NetworkCatalogue } from '../catalogue/network-catalogue.ts';
import { NodeRoles } from '../machines/node-roles.ts';
import { PortBook } from '../ports/port-book.ts';
import { AssignmentEpoch } from './assignment-epoch.ts';
import { Assignments } from './assignments.ts';

const NODES = ['a0000000', 'b0000000', 'c0000000'] as MachineId[];
const HELD = 10;

/** host0 with its catalogue. `anew` composes the assignments from all networks at once. */
async function host0() {
  const store = new MemoryStore();
  const clock = new ManualClock();
  const journal = new Journal(clock, 'host0', 'host0');
  const catalogue = await NetworkCatalogue.open({ store, clock, journal });
  catalogue.setFiles([]);
  onTestFinished(() => catalogue.close());
  const places = { placeOf: (machine: string) => ({ name: machine, underlay: '10.11.1.2' as Ipv4 }) };
  const parts = {
    ...{ clock, journal, store },
    places: { ...places, changes: new Signal<MachineWord | undefined>() },
    ports: await PortBook.open(store),
    epoch: await AssignmentEpoch.open({ store, journal, leap: () => [] }),
    roles: await NodeRoles.open(store),
    host0AddressFor: () => '10.11.1.1' as Ipv4,
  };
  const opened = async () => {
    const assignments = new Assignments(parts);
    await assignments.start();
    assignments.setNetworks(catalogue.given);
    return assignments;
  };
  const assignments = await opened();
  catalogue.changes.subscribe((changed) => assignments.changeNetworks(changed, catalogue));
  const told: MachineWord[] = [];
  assignments.subscribe((machine) => told.push(machine));
  return { catalogue, assignments, anew: opened, told };
}

const plugged = (networks: readonly string[]) => ({
  ports: networks.map((network, at) => ({ link: `tap${at}`, network })),
  orphans: [],
  digests: {},
});

test('what nodes are given after single changes is what all networks give', async () => {
  const seed = Number(process.env.MESH_SEED ?? Math.floor(Math.random() * 2 ** 32));
  console.log(`MESH_SEED=${seed}`);
  const random = randomFrom(seed);
  const { catalogue, assignments, anew } = await host0();
  const names = ['a', 'b', 'c', 'd', 'e', 'f'];
  const spans = [{ kind: 'on-demand' }, { kind: 'everywhere' }, { kind: 'nodes', nodes: [NODES[0]] }];
  for (const machine of NODES) {
    const own = names.filter(() => random() < 0.5);
    await assignments.reported(machine, plugged(own));
  }
  for (let step = 0; step < 150; step++) {
    const change = pick<() => Promise<unknown>>(random, [
      () => catalogue.create({ name: pick(random, names), span: pick(random, spans) }),
      () => catalogue.remove(pick(random, names)),
      () => catalogue.edit(pick(random, names), { name: pick(random, names) }),
      () => catalogue.edit(pick(random, names), { span: pick(random, spans) }),
      () => catalogue.stop(pick(random, names)),
      () => catalogue.start(pick(random, names)),
    ]);
    await Promise.allSettled([change(), catalogue.create({ name: pick(random, names) })]);
    const expected = await anew();
    for (const machine of NODES) {
      const [mine, theirs] = [assignments, expected].map((one) => one.assignmentOf(machine)?.attachments);
      expect(mine).toEqual(theirs);
    }
    expected.close();
  }
});

test('a thousand networks of others are no word, and no byte, to a node that holds ten', async () => {
  const { catalogue, assignments, told } = await host0();
  const [node] = NODES as [MachineId];
  const own = Array.from({ length: HELD }, (_, at) => `own-${at}`);
  await Promise.all(own.map((name) => catalogue.create({ name })));
  await assignments.reported(node, plugged(own));
  const before = assignments.assignmentOf(node);
  if (before === undefined) throw new Error('the node has no assignment');
  expect(before.attachments).toHaveLength(HELD);
  told.length = 0;
  await Promise.all(Array.from({ length: 1_000 }, (_, at) => catalogue.create({ name: `other-${at}` })));
  expect(told).toEqual([]);
  const after = assignments.assignmentOf(node);
  expect(after).toBe(before);
  // A change of its own network brings the ten, and nothing of the others.
  await catalogue.edit('own-0', { description: 'x' });
  expect(new Set(told)).toEqual(new Set([node]));
  const changed = assignments.assignmentOf(node);
  expect(changed && assignmentText(changed, 1, {}).includes('other-')).toBe(false);
});

test('a node that is giving a network up is told that the network is gone', async () => {
  const { catalogue, assignments, told } = await host0();
  const [node, other] = NODES as [MachineId, MachineId];
  await catalogue.create({ name: 'a' });
  for (const machine of [node, other]) {
    await assignments.reported(machine, plugged(['a']));
    assignments.opened(machine, { unplug: async () => undefined });
  }
  // The node has the network until the other one has taken it from its flood list.
  await assignments.reported(node, plugged([]));
  expect(assignments.assignmentOf(node)?.attachments).toHaveLength(1);
  told.length = 0;
  await catalogue.remove('a');
  expect(told).toContain(node);
  expect(assignments.assignmentOf(node)?.attachments).toEqual([]);
});
