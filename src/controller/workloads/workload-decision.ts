/** What a command about a workload has decided: the record before and after, and the steps in words. */
import type { WorkloadChangeOrder } from './workload-book.ts';
import type { WorkloadRecord } from './workload-record.ts';

/** What a command has decided. */
export interface WorkloadDecision {
  readonly before: WorkloadRecord | undefined;
  /** Undefined where the workload is removed. */
  readonly after: WorkloadRecord | undefined;
  readonly ports?: WorkloadChangeOrder['ports'];
  readonly portsAfter?: (made: readonly string[]) => WorkloadRecord['ports'];
  /** Empty: all is as wanted, and nothing is written. */
  readonly steps: readonly string[];
}

/** The workload is where it is wanted. What was to move stays, and runs again if it should. */
export function stays(before: WorkloadRecord): WorkloadDecision {
  const { moving, ...after } = before;
  if (moving === undefined) return { before, after, steps: [] };
  const { workload, wanted, at } = before;
  const start = wanted === 'stopped' ? [] : [`tell ${at?.node} to start ${workload.name}`];
  return { before, after, steps: [`give up the move of ${workload.name} to ${moving.node}`, ...start] };
}
