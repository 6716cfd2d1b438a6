/** What nodes have told of workloads in this run of host0: how each runs, and what the nodes have for them. */
import type { Clock } from '../../model/clock.ts';
import type { MachineWord } from '../../model/machine.ts';
import { Signal, type Subscribable } from '../../model/signal.ts';
import type { MembershipVersion } from '../../protocol/documents/membership.ts';
import type { NodeStatus, ObjectStatus } from '../../protocol/documents/node-assignment.ts';
import type { NodeCapacity, WorkloadRun } from '../../protocol/documents/workload/assigned-workload.ts';

import type { GivenWorkloads } from '../assignments/given-workloads.ts';

/** The part of a node's status that is about workloads. */
export type WorkloadStatus = Partial<Pick<NodeStatus, 'runs' | 'capacity' | 'objects' | 'assignment'>>;

interface NodeWord {
  readonly runs: ReadonlyMap<string, WorkloadRun>;
  readonly states: ReadonlyMap<string, ObjectStatus>;
  readonly capacity: NodeCapacity | undefined;
  /** The assignment that was in force. */
  readonly assignment: MembershipVersion | undefined;
  readonly atMs: number;
}

/** Keeps the last words of each node. */
export class WorkloadReports {
  readonly #clock: Clock;
  readonly #nodes = new Map<MachineWord, NodeWord>();
  readonly #reached = new Set<MachineWord>();
  readonly #changes = new Signal<MachineWord>();
  /** Emits a node that has told, come or gone. */
  readonly changes: Subscribable<MachineWord> = this.#changes;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  opened(machine: MachineWord): void {
    this.#reached.add(machine);
    this.#changes.emit(machine);
  }

  /** What the node said last stays, with its age: nothing else is known of a node that is away. */
  closed(machine: MachineWord): void {
    this.#reached.delete(machine);
    this.#changes.emit(machine);
  }

  reported(machine: MachineWord, { runs = [], capacity, objects = [], assignment }: WorkloadStatus): void {
    const workloads = objects.filter(({ kind }) => kind === 'workload');
    this.#nodes.set(machine, {
      runs: new Map(runs.map((run) => [run.id, run])),
      states: new Map(workloads.map((state) => [state.id, state])),
      capacity,
      assignment,
      atMs: this.#clock.nowMs(),
    });
    this.#changes.emit(machine);
  }

  isReached(machine: MachineWord): boolean {
    return this.#reached.has(machine);
  }

  /** The nodes whose channel stands. */
  get reached(): readonly MachineWord[] {
    return [...this.#reached];
  }

  capacityOf(machine: MachineWord): NodeCapacity | undefined {
    return this.#nodes.get(machine)?.capacity;
  }

  /** How a workload runs on a node, as the node told last. Ages are those of now. */
  runOn(machine: MachineWord, id: string): WorkloadRun | undefined {
    const word = this.#nodes.get(machine);
    const run = word?.runs.get(id);
    if (word === undefined || run === undefined) return undefined;
    return { ...run, ageSec: run.ageSec + Math.floor((this.#clock.nowMs() - word.atMs) / 1000) };
  }

  /** The state of a workload as an object of the node. */
  stateOn(machine: MachineWord, id: string): ObjectStatus | undefined {
    return this.#nodes.get(machine)?.states.get(id);
  }

  /** Whether the node had an assignment of this version, or a later one of the same epoch, when it told last. */
  hasTaken(machine: MachineWord, { epoch, revision }: MembershipVersion): boolean {
    const taken = this.#nodes.get(machine)?.assignment;
    return taken?.epoch === epoch && taken.revision >= revision;
  }

  /** How long ago the node told last; undefined if it has not told in this run of host0. */
  toldAgoSec(machine: MachineWord): number | undefined {
    const word = this.#nodes.get(machine);
    return word && Math.floor((this.#clock.nowMs() - word.atMs) / 1000);
  }

  /** The book, together with these reports: what assignments need of workloads. */
  beside(book: Pick<GivenWorkloads, 'revision' | 'changes' | 'on'>): GivenWorkloads {
    return {
      get revision() {
        return book.revision;
      },
      changes: book.changes,
      on: (machine) => book.on(machine),
      opened: (machine) => this.opened(machine),
      closed: (machine) => this.closed(machine),
      reported: (machine, status) => this.reported(machine, status),
    };
  }

  /** The nodes that run a workload. */
  runningOn(id: string): readonly MachineWord[] {
    return [...this.#nodes].flatMap(([machine, { runs }]) => (isAlive(runs.get(id)) ? [machine] : []));
  }
}

/** Whether an emulator runs for the workload, or is about to. */
export function isAlive(run: WorkloadRun | undefined): boolean {
  return run !== undefined && !['stopped', 'ended', 'failed'].includes(run.state);
}
