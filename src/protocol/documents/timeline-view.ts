/** One boot of one machine, as `mesh node boot` shows it and `GET /v1/boots` answers it. */

import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { ErrorCode } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';

/** In this order; which of `offer` and `tftp` a boot has depends on its firmware, and the others it has all. */
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
export type BootStage = (typeof BOOT_STAGES)[number];

export interface ReachedStage {
  readonly stage: BootStage;
  /** Milliseconds after the boot began. */
  readonly atMs: number;
  /** ISO 8601, UTC. */
  readonly time: string;
  /** What was seen last in it: `10.11.0.7 from 10.11.0.1`, `asked 3 times`. */
  readonly detail?: string;
}

/** Why a boot does not go on, as far as host0 can see it. */
export interface BootTrouble {
  readonly code: ErrorCode;
  /** The stage that it is stuck in. */
  readonly stage: BootStage;
  readonly cause: string;
  readonly remedy: string;
}

/** By when something more has to be seen of a boot that goes on; later than that it is silent. */
export interface BootDue {
  /** Milliseconds after the boot began. */
  readonly atMs: number;
  /** How long the boot may be silent in its stage. */
  readonly ms: number;
  /** The number that all machines have, or what boots of this model took that came through. */
  readonly from: 'table' | 'learned';
  /** So many boots it was learned from. */
  readonly boots?: number;
}

export interface TimelineView {
  readonly mac: Mac;
  /** host0's port that it is heard at. */
  readonly device: string;
  /** Known from the script on. */
  readonly machine?: MachineId;
  readonly name?: string;
  readonly ipv4?: Ipv4;
  readonly attempt?: string;
  /** Maker, product and kind of firmware. Before the script: as it was at the card's last boot. */
  readonly model?: string;
  /** ISO 8601, UTC. */
  readonly began: string;
  readonly ageMs: number;
  readonly state: 'booting' | 'stuck' | 'member';
  /** In the order in which they were reached. */
  readonly stages: readonly ReachedStage[];
  /** Absent while silence means nothing: at a download, when something else is wrong, and when it is a member. */
  readonly due?: BootDue;
  readonly trouble?: BootTrouble;
}
