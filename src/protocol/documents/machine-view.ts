/** A machine that has booted from host0 or has been a member: `GET /v1/machines` on `control.sock` → MachineView[]. */
import type { Mac } from '../../model/address/mac.ts';
import type { MachineId } from '../../model/machine.ts';
import type { Inventory } from './inventory.ts';
import type { BootStage, BootTrouble, TimelineView } from './timeline-view.ts';

export interface MachineView {
  readonly machine: MachineId;
  /** Of its folder in `/host0/machines`; a machine without one is unknown. */
  readonly name?: string;
  /** In SMBIOS words: `manufacturer`, `product`, `serial`, as the firmware or the node's kernel says. */
  readonly hardware: Readonly<Record<string, string>>;
  /** ISO 8601, UTC. */
  readonly firstSeen: string;
  readonly lastBoot?: string;
  /** The last boot that host0 saw since it started. */
  readonly boot?: {
    readonly state: TimelineView['state'];
    readonly stage: BootStage;
    readonly ageMs: number;
    readonly trouble?: BootTrouble;
  };
  readonly cards: readonly CardView[];
  /** As its agent told it, when it was a member. */
  readonly inventory?: Inventory;
}

/** A network card that it booted from, or has. */
export interface CardView {
  readonly mac: Mac;
  /** host0's ports on the segment that it hangs on; absent where host0 has not heard it. */
  readonly segment?: readonly string[];
}
