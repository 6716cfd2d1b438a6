/** What one workload needs of its node: time, processes, records, and the parts of its emulator. */
import type { Clock } from '../../model/clock.ts';
import type { AssignedWorkload } from '../../protocol/documents/workload/assigned-workload.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import type { Launcher } from '../../services/process/launcher.ts';
import type { ProcessMark } from '../../services/process/process-mark.ts';
import type { ItemKey } from '../items/item-kind.ts';
import type { ReadyParts } from './emulator.ts';
import type { Making } from './node-parts.ts';
import type { RunRecords } from './run-record.ts';

/** What a guest needs of its node. */
export interface GuestInput {
  readonly clock: Clock;
  readonly journal: Pick<Journal, 'record' | 'failure'>;
  readonly launcher: Pick<Launcher, 'running' | 'endOf' | 'errorOf'>;
  readonly records: Pick<RunRecords, 'write'>;
  readonly listenerOf: (path: string) => number | undefined;
  /** Whether the kernel has killed a process because memory ran out. */
  readonly wasKilledForMemory: (mark: ProcessMark) => boolean;
  /**
   * Makes ready what the emulator needs, which may take as long as a download.
   * @throws MESH_WORKLOAD_*, MESH_QEMU_MISSING, and errors of images
   */
  readonly makeReady: (assigned: AssignedWorkload, making: Making) => Promise<ReadyParts>;
  /** The items that must be there before the emulator starts. */
  readonly needs: (assigned: AssignedWorkload) => readonly ItemKey[];
  /** Whether host0 has given the workload since the agent started. Before, host0 may have moved it to another node. */
  readonly isConfirmed: () => boolean;
  /** Whether the volumes have room again after a full disk. */
  readonly hasRoom: (assigned: AssignedWorkload) => Promise<boolean>;
  /** The wanted items have changed. */
  readonly onItems: () => void;
  /** The state has changed. */
  readonly onState: () => void;
  /** How long a guest has to switch itself off. */
  readonly graceSec: number;
}
