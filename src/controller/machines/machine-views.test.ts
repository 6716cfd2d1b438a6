/** Views of machines from records, boots and scans. */
import { expect, test } from 'vitest';
import { parseMac } from '../../model/address/mac.ts';
import { type MachineId, parseMachineId } from '../../model/machine.ts';
import type { TimelineView } from '../../protocol/documents/timeline-view.ts';
import type { MachineRecord } from './machine-registry.ts';
import { type KnownMachines, machineViews } from './machine-views.ts';

const [ONE, TWO, THREE] = ['00000001', '00000002', '00000003'].map(parseMachineId) as [MachineId, MachineId, MachineId];
const mac = (number: number) => parseMac(`52:54:00:00:00:0${number}`);

function record(machine: MachineId, lastBoot: string, ...cards: readonly number[]): MachineRecord {
  return { machine, facts: { product: 'Box' }, cards: cards.map(mac), firstSeen: '2026-11-01T00:00:00.000Z', lastBoot };
}

function boot(machine: MachineId, card: number, device: string): TimelineView {
  const time = '2026-11-21T00:00:00.000Z';
  const stages = [
    { stage: 'discover', atMs: 0, time },
    { stage: 'overlay', atMs: 5_000, time },
  ] as const;
  return { mac: mac(card), device, machine, began: time, ageMs: 9_000, state: 'booting', stages };
}

const KNOWN: KnownMachines = {
  records: [record(ONE, '2026-11-20', 1, 2), record(TWO, '2026-11-21', 3), record(THREE, '2026-11-19', 4)],
  names: new Map([[THREE, 'node3']]),
  boots: [boot(TWO, 3, 'eth2'), boot(ONE, 1, 'eth1')],
  heardAt: new Map([[mac(1), 'eth3']]),
  segments: [['eth2', 'eth3'], ['eth1']],
};

test('named machines come first, then the one that was seen last', () => {
  expect(machineViews(KNOWN).map(({ machine, name }) => name ?? machine)).toEqual(['node3', TWO, ONE]);
});

test('a card is on the segment of the NIC that hears it, else of the NIC that it booted at', () => {
  const cards = machineViews(KNOWN).flatMap((view) => view.cards.map((card) => [card.mac.at(-1), card.segment]));
  expect(cards).toEqual([
    ['4', undefined],
    ['3', ['eth2', 'eth3']],
    ['1', ['eth2', 'eth3']],
    ['2', undefined],
  ]);
});

test('hardware comes from the boot and from the inventory', () => {
  const inventory = {
    system: { manufacturer: 'Maker', product: 'Other' },
    cpu: { threads: 2 },
    memoryBytes: 1,
    disks: [],
    nics: [],
  };
  const [view] = machineViews({ ...KNOWN, records: [{ ...record(TWO, '2026-11-21', 3), inventory }] });
  expect(view).toMatchObject({
    hardware: { manufacturer: 'Maker', product: 'Box' },
    boot: { state: 'booting', stage: 'overlay', ageMs: 9_000 },
    inventory,
  });
});
