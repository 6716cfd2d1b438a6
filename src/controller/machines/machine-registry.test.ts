/** The machines that host0 knows, over boots, restarts and floods of made-up ids. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import { type Mac, parseMac } from '../../model/address/mac.ts';
import { MeshError } from '../../model/error.ts';
import { type MachineId, machineIdOf } from '../../model/machine.ts';
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

/** Boots a machine from a card. Resolves with the name of the machine. */
function boot(registry: MachineRegistry, mac: Mac, id = machine): Promise<string | undefined> {
  return registry.boots(id, { mac, ...{ product: 'Box' } }, 'eth1', async (name) => name);
}

/** Another card for each number. */
const cardOf = (number: number) =>
  parseMac(
    `52:54:01:${number
      .toString(16)
      .padStart(6, '0')
      .replace(/..(?=.)/g, '$&:')}`,
  );

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
  expect(await boot(registry, first)).toBeUndefined();
  await clock.pass(60_000);
  names.set(machine, 'node1');
  expect(await registry.addCard(machine, second)).toEqual([first, second]);
  expect(await boot(registry, second)).toBe('node1');
  const [record] = (await open()).machines;
  expect(record).toMatchObject({ machine, facts: { product: 'Box' }, cards: [second, first] });
  expect(Date.parse(record?.lastBoot ?? '') - Date.parse(record?.firstSeen ?? '')).toBe(60_000);
});

test('a second box with the same UUID is told apart by the MAC of its card, also when it boots from another of its cards', async () => {
  const { names, online, booting, open } = world();
  const registry = await open();
  names.set(machine, 'node1');
  await boot(registry, first);
  online.add(machine);
  await expect(boot(registry, second)).rejects.toMatchObject({
    code: 'MESH_BOOT_CARD_UNKNOWN',
    remedy: expect.stringContaining(`\`mesh node adopt ${second} NAME\`, then \`mesh system configure\``),
  });
  expect(registry.namedByMac(second)).toBeUndefined();
  // What the command of the remedy does.
  const apart = machineIdOf(second);
  names.set(apart, 'node2');
  expect(registry.namedByMac(second)).toBe(apart);
  expect(await boot(registry, second, apart)).toBe('node2');
  await registry.takeInventory(apart, inventoryWith(second, third), second);
  booting.clear();
  expect(registry.namedByMac(third)).toBe(apart);
  expect((await open()).namedByMac(third)).toBe(apart);
  // The first box stays what it was.
  expect(registry.namedByMac(first)).toBeUndefined();
  expect([registry.isNamedWith(machine, first), registry.isNamedWith(machine, second)]).toEqual([true, false]);
});

test('while one card boots or lives as a machine, any other card is refused, known or not', async () => {
  const { online, booting, open } = world();
  const registry = await open();
  await registry.takeInventory(machine, inventoryWith(first, second));
  await boot(registry, first);
  booting.set(machine, first);
  await expect(boot(registry, second)).rejects.toThrow(/is booting from the network card 52:54:00:00:00:01; now/);
  await expect(boot(registry, third)).rejects.toThrow(/is booting from the network card/);
  await boot(registry, first);
  booting.clear();
  online.add(machine);
  for (const other of [second, third]) {
    await expect(boot(registry, other)).rejects.toMatchObject({
      code: 'MESH_BOOT_MACHINE_DOUBLE',
      message: expect.stringMatching(/is online, with the network card 52:54:00:00:00:01; now .* on eth1 asks/),
      remedy: expect.stringContaining('switch it off'),
    });
  }
  expect(registry.health()).toMatchObject([{ code: 'MESH_BOOT_MACHINE_DOUBLE', object: machine, severity: 'warning' }]);
  await boot(registry, first);
  expect(registry.byCard(third)).toBeUndefined();
  online.clear();
  await boot(registry, second);
  expect(registry.byCard(second)?.cards).toEqual([second, first]);
});

test('two cards that ask at the same moment do not both begin', async () => {
  const { booting, open } = world();
  const registry = await open();
  const begin = (mac: Mac) =>
    registry.boots(machine, { mac }, 'eth1', async () => {
      booting.set(machine, mac);
      return mac;
    });
  const outcomes = await Promise.allSettled([begin(first), begin(second), begin(first)]);
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(registry.byCard(first)?.cards).toEqual([first]);
});

test('an adopted machine boots from its own cards only, until the administrator names another', async () => {
  const { clock, names, forgotten, open } = world();
  const registry = await open();
  await boot(registry, first);
  names.set(machine, 'node1');
  await expect(boot(registry, second)).rejects.toMatchObject({
    code: 'MESH_BOOT_CARD_UNKNOWN',
    message: `${second} on eth1 asks to boot as node1, whose network cards are ${first}`,
    remedy: expect.stringContaining(`\`mesh node adopt ${machine} --card ${second}\``),
  });
  expect(registry.health()).toMatchObject([{ code: 'MESH_BOOT_CARD_UNKNOWN', object: machine }]);
  await boot(registry, first);
  expect((await open()).machines).toMatchObject([{ cards: [first] }]);
  // As a member the machine tells its other cards.
  await registry.takeInventory(machine, inventoryWith(first, third), first);
  await boot(registry, third);
  await expect(boot(registry, second)).rejects.toThrow(/asks to boot as node1/);
  expect(await registry.addCard(machine, second)).toEqual([third, second, first]);
  expect(registry.health()).toEqual([]);
  expect(await registry.addCard(machine, second)).toEqual([third, second, first]);
  await boot(registry, second);
  await clock.pass(0);
  expect(forgotten).toEqual([]);
});

test('the first card of an adopted machine is the one that boots first, unless the administrator names it before', async () => {
  const { names, open } = world();
  const registry = await open();
  const other = '00000001' as MachineId;
  names.set(machine, 'node1').set(other, 'node2');
  await boot(registry, first);
  await expect(boot(registry, second)).rejects.toMatchObject({ code: 'MESH_BOOT_CARD_UNKNOWN' });
  expect(await registry.addCard(other, third)).toEqual([third]);
  await expect(boot(registry, second, other)).rejects.toMatchObject({ code: 'MESH_BOOT_CARD_UNKNOWN' });
  await boot(registry, third, other);
});

test('a member tells its cards only from a card of its own', async () => {
  const { names, open } = world();
  const registry = await open();
  await boot(registry, first);
  names.set(machine, 'node1');
  for (const at of [undefined, second]) await registry.takeInventory(machine, inventoryWith(first, second), at);
  expect(registry.machines).toMatchObject([{ cards: [first], inventory: inventoryWith(first, second) }]);
  await expect(boot(registry, second)).rejects.toMatchObject({ code: 'MESH_BOOT_CARD_UNKNOWN' });
});

test('a stranger that comes back with another card is a new machine: nothing of the earlier one is left', async () => {
  const { forgotten, events, open } = world();
  const registry = await open();
  await registry.takeInventory(machine, inventoryWith(first));
  await boot(registry, first);
  await boot(registry, second);
  expect(forgotten).toEqual([machine]);
  expect(registry.machines).toMatchObject([{ machine, cards: [second] }]);
  expect(registry.machines[0]?.inventory).toBeUndefined();
  expect(registry.byCard(first)).toBeUndefined();
  expect(events).toMatchObject([
    {
      kind: 'machine with another card',
      message: `machine ${machine} has booted from ${first}, and boots from ${second} now: it gets another host key`,
    },
  ]);
});

test('a card boots as at most four machines an hour, and the finding names the card', async () => {
  const { clock, names, open } = world();
  const registry = await open();
  const idOf = (number: number) => number.toString(16).padStart(8, '0') as MachineId;
  const outcomes = [];
  for (let number = 1; number <= 4300; number++) {
    outcomes.push(await boot(registry, first, idOf(number)).then(() => true, MeshError.from));
  }
  expect(outcomes.filter((outcome) => outcome === true)).toHaveLength(4);
  expect(outcomes.at(-1)).toMatchObject({ code: 'MESH_BOOT_CARD_MANY', object: first });
  expect(registry.machines).toHaveLength(4);
  expect(registry.health()).toMatchObject([{ code: 'MESH_BOOT_CARD_MANY', object: first, severity: 'warning' }]);
  // The same machines, and other cards, boot as before.
  await boot(registry, first, idOf(1));
  names.set(machine, 'node1');
  await boot(registry, second);
  await clock.pass(3_600_001);
  await boot(registry, first, idOf(5));
});

test('an inventory is kept over boots and restarts, and written only when it changes', async () => {
  const { store, open } = world();
  const registry = await open();
  await registry.takeInventory(machine, inventoryWith(first));
  expect(registry.isKnown(machine)).toBe(true);
  const { revision } = await store.range('/v1/machines/');
  await registry.takeInventory(machine, inventoryWith(first));
  expect((await store.range('/v1/machines/')).revision).toBe(revision);
  await boot(registry, first);
  await registry.takeInventory(machine, inventoryWith(first, third), first);
  const record = (await open()).byCard(third);
  expect(record).toMatchObject({ inventory: inventoryWith(first, third), cards: [first, third] });
});

test('with a full disk machines still boot, and the journal has one event', async () => {
  const { store, events, open } = world();
  const registry = await open();
  const write = store.txn.bind(store);
  store.txn = () => Promise.reject(new MeshError('MESH_DISK_REFUSED', 'no room'));
  for (let times = 0; times < 2; times++) await boot(registry, first);
  expect(registry.isKnown(machine)).toBe(true);
  expect(events).toMatchObject([{ kind: 'machine not recorded', code: 'MESH_DISK_REFUSED' }]);
  store.txn = write;
  expect((await open()).isKnown(machine)).toBe(false);
  await boot(registry, first);
  expect((await open()).isKnown(machine)).toBe(true);
});

test('too many machines: strangers are forgotten, the oldest first; machines that boot and former members stay longest', async () => {
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
  booting.set(boots, cardOf(3));
  await registry.takeInventory(member, inventoryWith(cardOf(4)));
  for (let number = 1; number <= MACHINES_MAX; number++) {
    await boot(registry, cardOf(number), strangerOf(number));
    await clock.pass(1);
  }
  expect([forgotten, registry.health(), events]).toEqual([[], [], []]);

  // Hosts that make up ids; the last one has been seen before.
  const more = Array.from({ length: 20 }, (_, index) => strangerOf(0xf000_0000 + index));
  for (const [index, machine] of more.entries()) await boot(registry, cardOf(0xf000 + index), machine);
  await boot(registry, cardOf(30), strangerOf(30));
  await clock.pass(0);
  expect(forgotten).toEqual(Array.from({ length: 20 }, (_, index) => strangerOf(5 + index)));
  const kept = (await store.range('/v1/machines/')).entries.map(({ key }) => key.slice('/v1/machines/'.length));
  expect(kept).toHaveLength(MACHINES_MAX);
  expect(kept).toEqual(expect.arrayContaining([adopted, live, boots, member, ...more]));
  expect(registry.isKnown(oldest)).toBe(false);
  expect(registry.byCard(cardOf(30))?.machine).toBe(strangerOf(30));
  await expect(registry.whileKnown(oldest, async () => 'secrets')).rejects.toThrow(/has been forgotten/);
  expect(await registry.whileKnown(live, async () => 'secrets')).toBe('secrets');
  expect(events).toMatchObject([{ kind: 'machines forgotten', level: 'warning', code: 'MESH_BOOT_MACHINES_MANY' }]);
  expect(registry.health()).toMatchObject([{ code: 'MESH_BOOT_MACHINES_MANY', severity: 'warning' }]);
  await clock.pass(3_600_001);
  expect(registry.health()).toEqual([]);

  // After a restart, the order is the same.
  const next = await open();
  await boot(next, cardOf(0xf100), strangerOf(0xf100_0000));
  await clock.pass(0);
  expect(forgotten.at(-1)).toBe(strangerOf(25));
  expect(next.machines).toHaveLength(MACHINES_MAX);
});

test('made-up machines that all boot at once push each other out, and no machine that was a member', async () => {
  const { clock, booting, online, names, forgotten, open } = world();
  const registry = await open();
  const strangerOf = (number: number) => number.toString(16).padStart(8, '0') as MachineId;
  const [member, live, adopted] = ['aaaaaaa1', 'aaaaaaa2', 'aaaaaaa3'] as [MachineId, MachineId, MachineId];
  for (const id of [member, live, adopted]) await registry.takeInventory(id, inventoryWith(first));
  online.add(live);
  names.set(adopted, 'node1');
  for (let number = 1; number <= MACHINES_MAX + 200; number++) {
    booting.set(strangerOf(number), cardOf(number));
    await boot(registry, cardOf(number), strangerOf(number));
  }
  await clock.pass(0);
  expect(registry.machines).toHaveLength(MACHINES_MAX);
  expect(forgotten[0]).toBe(strangerOf(1));
  for (const id of [member, live, adopted]) expect(registry.isKnown(id)).toBe(true);
  expect(registry.health()).toMatchObject([{ code: 'MESH_BOOT_MACHINES_MANY' }]);
});

test('former members are forgotten when there are no others; adopted machines never', async () => {
  const { clock, names, forgotten, open } = world();
  const registry = await open();
  await registry.takeInventory(machine, inventoryWith(first));
  for (let number = 1; number <= MACHINES_MAX; number++) {
    const adopted = number.toString(16).padStart(8, '0') as MachineId;
    names.set(adopted, `node${number}`);
    await boot(registry, cardOf(number), adopted);
  }
  await clock.pass(0);
  expect(forgotten).toEqual([machine]);
  await boot(registry, third, 'ffffffff' as MachineId);
  await boot(registry, third, 'eeeeeeee' as MachineId);
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
