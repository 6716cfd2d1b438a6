/** The views of all machines that host0 knows, joined from records, boots and scans. */

import type { Mac } from '../../model/address/mac.ts';
import type { MachineId } from '../../model/machine.ts';
import type { MachineView } from '../../protocol/documents/machine-view.ts';
import type { TimelineView } from '../../protocol/documents/timeline-view.ts';
import type { MachineRecord } from './machine-registry.ts';

/** What parts of host0 know of machines. */
export interface KnownMachines {
  readonly records: readonly MachineRecord[];
  readonly names: ReadonlyMap<MachineId, string>;
  /** The newest boot first. */
  readonly boots: readonly TimelineView[];
  /** The NIC of host0 that hears a card now. */
  readonly heardAt: ReadonlyMap<Mac, string>;
  /** host0's NICs, grouped by segment. */
  readonly segments: readonly (readonly string[])[];
}

/** Named machines first, by name; then the others, the one that was seen last first. */
export function machineViews(known: KnownMachines): readonly MachineView[] {
  const { records, names, boots, heardAt, segments } = known;
  // The newest of several boots wins.
  const bootOfMachine = new Map(boots.toReversed().map((boot) => [boot.machine, boot]));
  const bootOfCard = new Map(boots.toReversed().map((boot) => [boot.mac, boot]));
  const views = records.map((record): MachineView => {
    const { machine, facts, cards, firstSeen, lastBoot, inventory } = record;
    const name = names.get(machine);
    const boot = bootOfMachine.get(machine);
    return {
      machine,
      ...(name !== undefined && { name }),
      hardware: { ...inventory?.system, ...facts },
      firstSeen,
      ...(lastBoot !== undefined && { lastBoot }),
      ...(boot !== undefined && { boot: bootOf(boot) }),
      cards: cards.map((mac) => {
        const nic = heardAt.get(mac) ?? bootOfCard.get(mac)?.device;
        return {
          mac,
          ...(nic !== undefined && { segment: segments.find((nics) => nics.includes(nic)) ?? [nic] }),
        };
      }),
      ...(inventory !== undefined && { inventory }),
    };
  });
  return views.sort((a, b) => {
    if (a.name === undefined && b.name === undefined) return lastSeen(a) > lastSeen(b) ? -1 : 1;
    if (a.name === undefined || b.name === undefined) return a.name === undefined ? 1 : -1;
    return a.name < b.name ? -1 : 1;
  });
}

function bootOf({ state, stages, ageMs, trouble }: TimelineView): NonNullable<MachineView['boot']> {
  const stage = stages.at(-1)?.stage ?? 'discover';
  return { state, stage, ageMs, ...(trouble !== undefined && { trouble }) };
}

function lastSeen({ firstSeen, lastBoot = firstSeen }: MachineView): string {
  return lastBoot;
}
