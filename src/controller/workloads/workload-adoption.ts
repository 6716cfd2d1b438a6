/** Takes up workloads that nodes have and the store has lost. */
import type { MachineWord } from '../../model/machine.ts';
import { workloadIdOf } from '../../model/workload/workload.ts';
import type { AssignedWorkload } from '../../protocol/documents/workload/assigned-workload.ts';
import type { Assignments } from '../assignments/assignments.ts';
import type { WorkloadBook } from './workload-book.ts';
import { workloadTwice } from './workload-refusals.ts';

/** Where adopted workloads go. */
export interface WorkloadAdoptionInput {
  readonly book: WorkloadBook;
  readonly nodes: Pick<Assignments, 'nameOf'>;
}

/**
 * Puts a workload into the book as its node has it. The guest goes on as it is.
 * @throws MESH_WORKLOAD_TWICE when host0 has another workload of the name or the uuid by now
 */
export function adoptWorkload(
  { book, nodes }: WorkloadAdoptionInput,
  machine: MachineWord,
  { workload, wanted, generation, ports, arrived }: AssignedWorkload,
): Promise<void> {
  const { name, uuid } = workload;
  return book.change(() => {
    const twin = book.get(name) ?? book.get(workloadIdOf(uuid));
    if (twin !== undefined) throw workloadTwice(workload, `host0 has a workload ${twin.workload.name} by now`);
    const at = { machine, node: nodes.nameOf(machine) };
    const record = { workload, wanted, generation, ports, at, ...(arrived !== undefined && { arrived }) };
    return { name, order: { after: () => record }, result: undefined };
  });
}
