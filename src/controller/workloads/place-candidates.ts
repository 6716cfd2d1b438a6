/** The nodes that a workload may go to, each with what it has and what it has promised to others. */
import { MeshError } from '../../model/error.ts';
import type { MachineWord } from '../../model/machine.ts';
import { workloadIdOf } from '../../model/workload/workload.ts';
import type { WorkloadRun } from '../../protocol/documents/workload/assigned-workload.ts';
import type { Assignments } from '../assignments/assignments.ts';
import { mustFit, type PlaceCandidate, placeAnywhere } from './placement.ts';
import type { WorkloadBook } from './workload-book.ts';
import type { WorkloadRecord } from './workload-record.ts';
import { workloadElsewhere } from './workload-refusals.ts';
import { isAlive, type WorkloadReports } from './workload-reports.ts';
import { holdsMemory } from './workload-views.ts';

/** Where the candidates come from. */
export interface PlaceCandidatesInput {
  readonly book: WorkloadBook;
  readonly reports: WorkloadReports;
  readonly nodes: Pick<Assignments, 'nodeCalled' | 'nameOf'>;
}

/** Finds candidates. */
export class PlaceCandidates {
  readonly #input: PlaceCandidatesInput;

  constructor(input: PlaceCandidatesInput) {
    this.#input = input;
  }

  /** The node of this name or machine id. @throws MESH_NODE_UNKNOWN */
  called(wanted: string, workload: string): PlaceCandidate {
    const node = this.#input.nodes.nodeCalled(wanted);
    if (node !== undefined) return this.at(node.machine, workload);
    throw new MeshError('MESH_NODE_UNKNOWN', `no node ${JSON.stringify(wanted)} has had a channel to host0`, {
      object: wanted,
      rule: 'host0 places workloads on nodes that it can tell of them.',
      remedy: 'See `mesh node list`. `mesh node enroll` gives a machine its key.',
    });
  }

  /** The node where a workload is or is to be started. @throws MESH_WORKLOAD_NO_ROOM, MESH_NODE_* */
  chosen(record: WorkloadRecord, wanted: string | undefined, workload = record.workload): PlaceCandidate {
    const { at } = record;
    const { place } = workload;
    const named = wanted ?? (at === undefined && place.kind === 'node' ? place.node : undefined);
    if (at !== undefined) {
      const candidate = this.at(at.machine, workload.name);
      if (named !== undefined && this.called(named, workload.name).machine !== at.machine)
        throw workloadElsewhere(record, named);
      mustFit(workload, candidate);
      return candidate;
    }
    if (named !== undefined) {
      const candidate = this.called(named, workload.name);
      mustFit(workload, candidate);
      return candidate;
    }
    const { reached } = this.#input.reports;
    return placeAnywhere(
      workload,
      reached.map((machine) => this.at(machine, workload.name)),
    );
  }

  /** @param workload the name of the workload that is to be placed: what it has there already is free for it */
  at(machine: MachineWord, workload: string): PlaceCandidate {
    const { reports, book, nodes } = this.#input;
    const here = book.all.filter(
      (record) =>
        record.workload.name !== workload &&
        ((record.at?.machine === machine && holdsMemory(record, reports)) || record.moving?.machine === machine),
    );
    const runOf = ({ workload: { uuid } }: WorkloadRecord) => reports.runOn(machine, workloadIdOf(uuid));
    const promised = here.map((record) => {
      const run = runOf(record);
      return { workload: record.workload, usedBytes: usedBytes(run), volumeBytes: run?.volumeDemandBytes };
    });
    const own = book.get(workload);
    const freed = own === undefined ? 0 : usedBytes(runOf(own));
    const capacity = reports.capacityOf(machine);
    return {
      machine,
      node: nodes.nameOf(machine),
      isReached: reports.isReached(machine),
      capacity: capacity && { ...capacity, availableBytes: capacity.availableBytes + freed },
      promised,
    };
  }
}

/** What a workload has taken. Volumes in memory stay when it has stopped. */
function usedBytes(run: WorkloadRun | undefined): number {
  return (isAlive(run) ? (run?.memoryBytes ?? 0) : 0) + (run?.volumeMemoryBytes ?? 0);
}
