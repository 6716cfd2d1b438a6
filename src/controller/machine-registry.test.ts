import { expect, test } from 'vitest';
import { type Mac, parseMac } from '../model/mac.ts';
import type { MachineId } from '../model/machine.ts';
import { ManualClock } from '../model/manual-clock.ts';
import type { Inventory } from '../protocol/inventory.ts';
import { MemoryStore } from '../store/memory-store.ts';
import { MachineRegistry } from './machine-registry.ts';

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
  const names = new Map<MachineId, string>();
  const open = () => MachineRegistry.open({ store, clock, names: () => names, isOnline: (other) => online.has(other) });
  return { store, clock, online, names, open };
}

test('a machine is known once it has booted, also after a restart', async () => {
  const { clock, names, open } = world();
  const registry = await open();
  expect(registry.isKnown(machine)).toBe(false);
  expect(await registry.boots(machine, { mac: first, ...{ product: 'Box' } }, undefined)).toBeUndefined();
  await clock.pass(60_000);
  names.set(machine, 'node1');
  expect(await registry.boots(machine, { mac: second, ...{ product: 'Box' } }, undefined)).toBe('node1');
  const [record] = (await open()).machines;
  expect(record).toMatchObject({ machine, facts: { product: 'Box' }, cards: [second, first] });
  expect(Date.parse(record?.lastBoot ?? '') - Date.parse(record?.firstSeen ?? '')).toBe(60_000);
  await registry.forget(machine);
  expect((await open()).machines).toEqual([]);
});

test('a second box with the id of one that lives is refused; the same box with another card of its own is not', async () => {
  const { online, open } = world();
  const registry = await open();
  await registry.boots(machine, { mac: first }, undefined);
  await expect(registry.boots(machine, { mac: second }, first)).rejects.toThrow(/is booting from the network card/);
  online.add(machine);
  await expect(registry.boots(machine, { mac: second }, undefined)).rejects.toMatchObject({
    code: 'MESH_BOOT_MACHINE_DOUBLE',
    remedy: expect.stringContaining('switch it off'),
  });
  await registry.takeInventory(machine, inventoryWith(first, second));
  await registry.boots(machine, { mac: second }, undefined);
  await expect(registry.boots(machine, { mac: third }, undefined)).rejects.toThrow(/is online/);
  online.delete(machine);
  await registry.boots(machine, { mac: third }, undefined);
  expect(registry.get(machine)?.cards).toEqual([third, second, first]);
});

test('an inventory is kept, over boots and restarts, and written only when it is another', async () => {
  const { store, open } = world();
  const registry = await open();
  await registry.takeInventory(machine, inventoryWith(first));
  expect(registry.isKnown(machine)).toBe(true);
  const { revision } = await store.range('/v1/machines/');
  await registry.takeInventory(machine, inventoryWith(first));
  expect((await store.range('/v1/machines/')).revision).toBe(revision);
  await registry.boots(machine, { mac: first }, undefined);
  await registry.takeInventory(machine, inventoryWith(first, third));
  const record = (await open()).get(machine);
  expect(record).toMatchObject({ inventory: inventoryWith(first, third), cards: [first, third] });
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
