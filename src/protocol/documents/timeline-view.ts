/** One boot of one machine, as `mesh node boot` shows it and `GET /v1/boots` answers it. */

import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { ErrorCode } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';

/**
 * The stages of a boot, in their order. Whether a boot has `offer` and `tftp` depends on its firmware; all have the
 * others.
 */
export const BOOT_STAGES = [
  'discover',
  'offer',
  'tftp',
  'script',
  'kernel',
  'initrd',
  'overlay',
  'packages',
  'agent',
  'mesh',
] as const;
/** The name of a stage, as `mesh node boot` prints it. */
export type BootStage = (typeof BOOT_STAGES)[number];

/** A stage that a boot has reached, and when. */
export interface ReachedStage {
  readonly stage: BootStage;
  /** Milliseconds after the boot began. */
  readonly atMs: number;
  /** ISO 8601, UTC. */
  readonly time: string;
  /** What host0 saw last in this stage: `10.11.0.7 from 10.11.0.1`, `asked 3 times`. */
  readonly detail?: string;
}

/** Why a boot does not go on, as far as host0 can see it. */
export interface BootTrouble {
  readonly code: ErrorCode;
  /** The stage that the boot is stuck in. */
  readonly stage: BootStage;
  readonly cause: string;
  readonly remedy: string;
}

/** When the next sign of a boot is due. A boot that gives no sign until then counts as silent. */
export interface BootDue {
  /** Milliseconds after the boot began. */
  readonly atMs: number;
  /** How long the boot may be silent in its stage. */
  readonly ms: number;
  /** `table`: the number for all machines. `learned`: from earlier successful boots of this model. */
  readonly from: 'table' | 'learned';
  /** How many boots the number was learned from. */
  readonly boots?: number;
}

/** One boot of one machine, as far as host0 has seen it. */
export interface TimelineView {
  readonly mac: Mac;
  /** host0's NIC that hears the machine. */
  readonly device: string;
  /** Known from the stage `script` on. */
  readonly machine?: MachineId;
  readonly name?: string;
  readonly ipv4?: Ipv4;
  readonly attempt?: string;
  /** Manufacturer, product and kind of firmware. Before the stage `script`: those of the card's last boot. */
  readonly model?: string;
  /** ISO 8601, UTC. */
  readonly began: string;
  readonly ageMs: number;
  readonly state: 'booting' | 'stuck' | 'member';
  /** In the order in which they were reached. */
  readonly stages: readonly ReachedStage[];
  /** Absent while silence means nothing: during a download, with another trouble, and once the machine is a member. */
  readonly due?: BootDue;
  readonly trouble?: BootTrouble;
}
