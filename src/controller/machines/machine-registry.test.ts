/** The machines that host0 knows, over boots, restarts and floods of made-up ids. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import { type Mac, parseMac } from '../../model/address/mac.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';
import type { Inventory } from '../../protocol/documents/inventory.ts';
import type { MeshEvent } from '../../protocol/journal/event.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { MACHINES_MAX, MachineRegistry } from './machine-registry.ts';

const machine = '10eff964' as MachineId;
const first = parseMac('52:54:00:00:00:01');
const second = parseMac('52:54:00:00:00:02');
const third = parseMac('52:54:00:00:00:03');

const inventoryWith = (...cards: readonly Mac[]): Inventory => ({
  system: { product: 'Box' },
  cpu: { threads: 4 },
  memoryBytes: 2 ** 30,
  disks: [],
  nics: cards.map((mac, index) => ({ name: `eth${index}`, mac })),
});

function world() {
  const store = new MemoryStore();
  const clock = new ManualClock();
  const online = new Set<MachineId>();
  const booting = new Map<MachineId, Mac>();
  const names = new Map<MachineId, string>();
  const forgotten: MachineId[] = [];
  const journal = new Journal(clock, 'host0', 'host0');
  const events: MeshEvent[] = [];
  journal.subscribe((event) => events.push(event));
  const isOnline = (other: MachineId) => online.has(other);
  const open = () =>
    MachineRegistry.open({
      store,
      clock,
      journal,
      names: () => names,
      isOnline,
      bootingAs: (other) => booting.get(other),
      onForget: async (other) => void forgotten.push(other),
    });
  return { store, clock, online, booting, names, forgotten, events, open };
}

test('a machine that has booted is known, also after a restart', async () => {
  const { clock, names, open } = world();
  const registry = await open();
  expect(registry.isKnown(machine)).toBe(false);
  expect(await registry.boots(machine, { mac: first, ...{ product: 'Box' } })).toBeUndefined();
  await clock.pass(60_000);
  names.set(machine, 'node1');
  expect(await registry.boots(machine, { mac: second, ...{ product: 'Box' } })).toBe('node1');
  const [record] = (await open()).machines;
  expect(record).toMatchObject({ machine, facts: { product: 'Box' }, cards: [second, first] });
  expect(Date.parse(record?.lastBoot ?? '') - Date.parse(record?.firstSeen ?? '')).toBe(60_000);
});

test('a second machine with the id of a live one is refused; the same machine with another of its cards is not', async () => {
  const { online, booting, open } = world();
  const registry = await open();
  await registry.boots(machine, { mac: first });
  booting.set(machine, first);
  await expect(registry.boots(machine, { mac: second })).rejects.toThrow(/is booting from the network card/);
  booting.clear();
  online.add(machine);
  await expect(registry.boots(machine, { mac: second })).rejects.toMatchObject({
    code: 'MESH_BOOT_MACHINE_DOUBLE',
    remedy: expect.stringContaining('switch it off'),
  });
  await registry.takeInventory(machine, inventoryWith(first, second));
  await registry.boots(machine, { mac: second });
  await expect(registry.boots(machine, { mac: third })).rejects.toThrow(/is online/);
  online.delete(machine);
  await registry.boots(machine, { mac: third });
  expect(registry.byCard(third)?.cards).toEqual([third, second, first]);
});

test('an inventory is kept over boots and restarts, and written only when it changes', async () => {
  const { store, open } = world();
  const registry = await open();
  await registry.takeInventory(machine, inventoryWith(first));
  expect(registry.isKnown(machine)).toBe(true);
  const { revision } = await store.range('/v1/machines/');
  await registry.takeInventory(machine, inventoryWith(first));
  expect((await store.range('/v1/machines/')).revision).toBe(revision);
  await registry.boots(machine, { mac: first });
  await registry.takeInventory(machine, inventoryWith(first, third));
  const record = (await open()).byCard(third);
  expect(record).toMatchObject({ inventory: inventoryWith(first, third), cards: [first, third] });
});

test('with a full disk machines still boot, and the journal has one event', async () => {
  const { store, events, open } = world();
  const registry = await open();
  const write = store.txn.bind(store);
  store.txn = () => Promise.reject(new MeshError('MESH_DISK_REFUSED', 'no room'));
  for (let boot = 0; boot < 2; boot++) await registry.boots(machine, { mac: first });
  expect(registry.isKnown(machine)).toBe(true);
  expect(events).toMatchObject([{ kind: 'machine not recorded', code: 'MESH_DISK_REFUSED' }]);
  store.txn = write;
  expect((await open()).isKnown(machine)).toBe(false);
  await registry.boots(machine, { mac: first });
  expect((await open()).isKnown(machine)).toBe(true);
});

test('too many machines: the oldest are forgotten that are not adopted, online, booting or former members', async () => {
  const { store, clock, online, booting, names, forgotten, events, open } = world();
  const registry = await open();
  const strangerOf = (number: number) => number.toString(16).padStart(8, '0') as MachineId;
  const [adopted, live, boots, member, oldest] = [
    strangerOf(1),
    strangerOf(2),
    strangerOf(3),
    strangerOf(4),
    strangerOf(5),
  ];
  names.set(adopted, 'node1');
  online.add(live);
  booting.set(boots, first);
  await registry.takeInventory(member, inventoryWith(first));
  for (let number = 1; number <= MACHINES_MAX; number++) {
    await registry.boots(strangerOf(number), { mac: first });
    await clock.pass(1);
  }
  expect([forgotten, registry.health(), events]).toEqual([[], [], []]);

  // A host that makes up ids; the last one has been seen before.
  const more = Array.from({ length: 20 }, (_, index) => strangerOf(0xf000_0000 + index));
  for (const machine of more) await registry.boots(machine, { mac: second });
  await registry.boots(strangerOf(30), { mac: second });
  await clock.pass(0);
  expect(forgotten).toEqual(Array.from({ length: 20 }, (_, index) => strangerOf(5 + index)));
  const kept = (await store.range('/v1/machines/')).entries.map(({ key }) => key.slice('/v1/machines/'.length));
  expect(kept).toHaveLength(MACHINES_MAX);
  expect(kept).toEqual(expect.arrayContaining([adopted, live, boots, member, ...more]));
  expect(registry.isKnown(oldest)).toBe(false);
  expect(registry.byCard(second)?.machine).toBe(strangerOf(30));
  await expect(registry.whileKnown(oldest, async () => 'secrets')).rejects.toThrow(/has been forgotten/);
  expect(await registry.whileKnown(live, async () => 'secrets')).toBe('secrets');
  expect(events).toMatchObject([{ kind: 'machines forgotten', level: 'warning', code: 'MESH_BOOT_MACHINES_MANY' }]);
  expect(registry.health()).toMatchObject([{ code: 'MESH_BOOT_MACHINES_MANY', severity: 'warning' }]);
  await clock.pass(3_600_001);
  expect(registry.health()).toEqual([]);

  // After a restart, the order is the same.
  const next = await open();
  await next.boots(strangerOf(0xf100_0000), { mac: second });
  await clock.pass(0);
  expect(forgotten.at(-1)).toBe(strangerOf(25));
  expect(next.machines).toHaveLength(MACHINES_MAX);
});

test('former members are forgotten when there are no others; adopted machines never', async () => {
  const { clock, names, forgotten, open } = world();
  const registry = await open();
  await registry.takeInventory(machine, inventoryWith(first));
  for (let number = 1; number <= MACHINES_MAX; number++) {
    const adopted = number.toString(16).padStart(8, '0') as MachineId;
    names.set(adopted, `node${number}`);
    await registry.boots(adopted, { mac: second });
  }
  await clock.pass(0);
  expect(forgotten).toEqual([machine]);
  await registry.boots('ffffffff' as MachineId, { mac: third });
  await registry.boots('eeeeeeee' as MachineId, { mac: third });
  await clock.pass(0);
  expect([forgotten.slice(1), registry.machines.length]).toEqual([['ffffffff'], MACHINES_MAX + 1]);
});

test('a record that is damaged is left out', async () => {
  const { store, open } = world();
  await store.txn(
    [],
    [
      { put: '/v1/machines/10eff964', value: '{' },
      { put: '/v1/machines/00000001', value: '{"machine":"00000001","cards":["no"]}' },
    ],
  );
  expect((await open()).machines).toEqual([]);
});
