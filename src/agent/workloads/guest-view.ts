/** How a workload is, as its node tells it. */
import { MeshError } from '../../model/error.ts';
import type { AssignedWorkload, RunState, WorkloadRun } from '../../protocol/documents/workload/assigned-workload.ts';
import { memoryOfFiles, type PromisedMemory, processUsage } from './memory-room.ts';
import type { RunRecord } from './run-record.ts';

/** The state of a workload. */
export interface GuestNow {
  readonly state: RunState;
  readonly why?: string;
  readonly error?: MeshError;
}

/** Nothing was done for the generation yet. */
export const TAKEN_UP: GuestNow = { state: 'preparing', why: 'the workload has been taken up' };
/** Two emulators of one workload would need its memory twice. */
export const WAITS_FOR_END: GuestNow = { state: 'preparing', why: 'the emulator of before is ending' };

/** What a view of a workload is made of, besides what is assigned and recorded. */
interface Seen extends GuestNow {
  readonly ageSec: number;
  readonly pid: number | undefined;
  /** Of the emulator that is wanted; undefined while none is. */
  readonly generation: number | undefined;
}

/**
 * What the node tells of a workload. While no emulator is wanted, the assigned generation is told: host0 takes another one for a
 * workload that the node has not taken up yet, and shows neither its failure nor what it waits for.
 */
export function runOf(
  assigned: AssignedWorkload,
  record: RunRecord | undefined,
  { state, why, error, ageSec, pid, generation = assigned.generation }: Seen,
): WorkloadRun {
  const { id } = assigned;
  const {
    accelerator,
    acceleratorWhy,
    cpuMode,
    volumeMemoryBytes: volumeDemandBytes = 0,
    memoryVolumes = [],
  } = record ?? {};
  const restarts = record?.generation === generation ? record.restarts : 0;
  return {
    ...{ id, generation, state, ageSec, restarts },
    ...(why !== undefined && { why }),
    ...(error !== undefined && { error: error.toJSON() }),
    ...(pid !== undefined && { pid, ...processUsage(pid) }),
    ...(accelerator !== undefined && { accelerator }),
    ...(cpuMode !== undefined && { cpuMode }),
    ...(acceleratorWhy !== undefined && { acceleratorWhy }),
    ...(volumeDemandBytes > 0 && { volumeDemandBytes, volumeMemoryBytes: memoryOfFiles(memoryVolumes) }),
  };
}

/** The memory that a guest may come to take, with its volumes in memory. @param pid of its emulator, while it runs */
export function promisedTo(
  { memoryBytes, volumeMemoryBytes, memoryVolumes = [], accelerator }: RunRecord,
  pid: number | undefined,
): PromisedMemory {
  const emulatorBytes = pid === undefined ? 0 : (processUsage(pid)?.memoryBytes ?? 0);
  const takenBytes = emulatorBytes + memoryOfFiles(memoryVolumes);
  return { memoryBytes: memoryBytes + volumeMemoryBytes, accelerator, takenBytes };
}

/** The error that a record keeps of the last end. */
export function errorOf({ error }: RunRecord): Pick<GuestNow, 'error'> {
  return error === undefined ? {} : { error: MeshError.fromJSON(error) };
}
