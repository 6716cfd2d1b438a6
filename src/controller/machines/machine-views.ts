/** The machines that host0 knows, out of what its parts know of them. */

import type { Mac } from '../../model/address/mac.ts';
import type { MachineId } from '../../model/machine.ts';
import type { MachineView } from '../../protocol/documents/machine-view.ts';
import type { TimelineView } from '../../protocol/documents/timeline-view.ts';
import type { MachineRecord } from './machine-registry.ts';

export interface KnownMachines {
  readonly records: readonly MachineRecord[];
  readonly names: ReadonlyMap<MachineId, string>;
  /** The newest first. */
  readonly boots: readonly TimelineView[];
  /** On which of host0's ports a card is heard now. */
  readonly heardAt: ReadonlyMap<Mac, string>;
  /** host0's ports, those on one segment together. */
  readonly segments: readonly (readonly string[])[];
}

/** Those without a name last, and of these the one that was seen last first. */
export function machineViews(known: KnownMachines): readonly MachineView[] {
  const { records, names, boots, heardAt, segments } = known;
  // The newest of several wins.
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
        const port = heardAt.get(mac) ?? bootOfCard.get(mac)?.device;
        return {
          mac,
          ...(port !== undefined && { segment: segments.find((ports) => ports.includes(port)) ?? [port] }),
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
