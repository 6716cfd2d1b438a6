/** The workloads that nodes are given, and who hears how they run. */
import type { MachineWord } from '../../model/machine.ts';
import type { Subscribable } from '../../model/signal.ts';
import type { NodeStatus } from '../../protocol/documents/node-assignment.ts';
import type { AssignedWorkload } from '../../protocol/documents/workload/assigned-workload.ts';

/** What assignments need of workloads. */
export interface GivenWorkloads {
  /** The store's revision that the workloads show. */
  readonly revision: number;
  /** Emits the nodes whose workloads are others. */
  readonly changes: Subscribable<readonly MachineWord[]>;
  /** What a node is given. */
  on(machine: MachineWord): readonly AssignedWorkload[];
  opened(machine: MachineWord): void;
  closed(machine: MachineWord): void;
  reported(
    machine: MachineWord,
    status: Partial<Pick<NodeStatus, 'runs' | 'capacity' | 'objects' | 'assignment'>>,
  ): void;
}
