/** Machines that host0 knows: `GET /v1/machines` on `control.sock` → MachineView[]. */
import type { Mac } from '../../model/address/mac.ts';
import type { MachineId } from '../../model/machine.ts';
import type { Inventory } from './inventory.ts';
import type { BootStage, BootTrouble, TimelineView } from './timeline-view.ts';

/** A machine that has booted from host0 or has been a member. */
export interface MachineView {
  readonly machine: MachineId;
  /** Name of the machine's folder in `/host0/machines`; absent for a machine without one. */
  readonly name?: string;
  /** Texts by SMBIOS name (`manufacturer`, `product`, `serial`), from the firmware or from the node's kernel. */
  readonly hardware: Readonly<Record<string, string>>;
  /** ISO 8601, UTC. */
  readonly firstSeen: string;
  readonly lastBoot?: string;
  /** The last boot that host0 has seen since its daemon started. */
  readonly boot?: {
    readonly state: TimelineView['state'];
    readonly stage: BootStage;
    readonly ageMs: number;
    readonly trouble?: BootTrouble;
  };
  readonly cards: readonly CardView[];
  /** What the machine's agent reported when the machine was a member. */
  readonly inventory?: Inventory;
}

/** A network card that the machine has booted from, or has reported in its inventory. */
export interface CardView {
  readonly mac: Mac;
  /** host0's NICs on the card's segment; absent where host0 has not heard the card. */
  readonly segment?: readonly string[];
}
