/** How a workload is, as its node tells it. */
import { MeshError } from '../../model/error.ts';
import type { AssignedWorkload, RunState, WorkloadRun } from '../../protocol/documents/workload/assigned-workload.ts';
import { processUsage } from './memory-room.ts';
import type { RunRecord } from './run-record.ts';

/** The state of a workload. */
export interface GuestNow {
  readonly state: RunState;
  readonly why?: string;
  readonly error?: MeshError;
}

/** What the node tells of a workload. */
export function runOf(
  { id, generation }: AssignedWorkload,
  record: RunRecord | undefined,
  { state, why, error, ageSec, pid }: GuestNow & { readonly ageSec: number; readonly pid: number | undefined },
): WorkloadRun {
  const { accelerator, acceleratorWhy, cpuMode, restarts = 0, volumeMemoryBytes = 0 } = record ?? {};
  return {
    ...{ id, generation: record?.generation ?? generation, state, ageSec, restarts },
    ...(why !== undefined && { why }),
    ...(error !== undefined && { error: error.toJSON() }),
    ...(pid !== undefined && { pid, ...processUsage(pid) }),
    ...(accelerator !== undefined && { accelerator }),
    ...(cpuMode !== undefined && { cpuMode }),
    ...(acceleratorWhy !== undefined && { acceleratorWhy }),
    ...(volumeMemoryBytes > 0 && { volumeMemoryBytes }),
  };
}

/** The error that a record keeps of the last end. */
export function errorOf({ error }: RunRecord): Pick<GuestNow, 'error'> {
  return error === undefined ? {} : { error: MeshError.fromJSON(error) };
}
