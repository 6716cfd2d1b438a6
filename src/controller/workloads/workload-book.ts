/**
 * The book of workloads. Each change is one transaction with the ports of the workload. Changes are carried out one after another,
 * so that two starts in one moment do not take the same memory.
 */
import { MeshError } from '../../model/error.ts';
import type { MachineWord } from '../../model/machine.ts';
import { Signal, type Subscribable } from '../../model/signal.ts';
import { workloadIdOf } from '../../model/workload/workload.ts';
import { type Finding, findingOf, type HealthSource } from '../../protocol/documents/finding.ts';
import type { AssignedWorkload } from '../../protocol/documents/workload/assigned-workload.ts';
import { Collection } from '../../store/collection.ts';
import { changedByAnother } from '../../store/record-table.ts';
import type { Store } from '../../store/store.ts';
import type { PortBook, PortChanges } from '../ports/port-book.ts';
import { assignedWorkload, WORKLOAD_RECORDS, type WorkloadRecord } from './workload-record.ts';

/** A change of one workload. */
export interface WorkloadChangeOrder {
  /** Absent: the workload is removed. @param ports the ids of the ports that were made, in the order of `ports.create` */
  readonly after?: (ports: readonly string[]) => WorkloadRecord;
  readonly ports?: PortChanges;
}

/** Where the ports of workloads are. */
export interface WorkloadPortsInput {
  readonly ports: Pick<PortBook, 'together'>;
  /** Whether no node has a port of this id from an earlier store. Absent: none has. */
  readonly isFreePort?: (id: string) => boolean;
}

/** Keeps the workloads. */
export class WorkloadBook implements HealthSource {
  readonly #ports: Pick<PortBook, 'together'>;
  readonly #isFreePort: ((id: string) => boolean) | undefined;
  readonly #collection: Collection<WorkloadRecord>;
  readonly #records = new Map<string, { readonly record: WorkloadRecord; readonly modRevision: number }>();
  readonly #spoilt: readonly string[];
  readonly #changes = new Signal<readonly MachineWord[]>();
  /** Emits the nodes whose workloads are others. */
  readonly changes: Subscribable<readonly MachineWord[]> = this.#changes;
  #revision: number;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(store: Store, { ports, isFreePort }: WorkloadPortsInput, list: ReadWorkloads) {
    this.#ports = ports;
    this.#isFreePort = isFreePort;
    this.#collection = new Collection(store, WORKLOAD_RECORDS);
    for (const stored of list.records) this.#records.set(stored.record.workload.name, stored);
    this.#spoilt = list.spoilt;
    this.#revision = list.revision;
  }

  /** Reads the workloads. @throws MESH_STORE_BROKEN */
  static async open(store: Store, ports: WorkloadPortsInput): Promise<WorkloadBook> {
    return new WorkloadBook(store, ports, await new Collection(store, WORKLOAD_RECORDS).list());
  }

  /** The store's revision that the workloads show. */
  get revision(): number {
    return this.#revision;
  }

  /** The store's revision of the last change of a workload; 0 if there is none of this name. */
  revisionOf(name: string): number {
    return this.#records.get(name)?.modRevision ?? 0;
  }

  /** All workloads, in the order of their names. */
  get all(): readonly WorkloadRecord[] {
    return Array.from(this.#records.values(), ({ record }) => record).toSorted((a, b) =>
      a.workload.name < b.workload.name ? -1 : 1,
    );
  }

  /** What a node is given. */
  on(machine: MachineWord): readonly AssignedWorkload[] {
    return this.all.filter(({ at }) => at?.machine === machine).map(assignedWorkload);
  }

  /** The workload of this name, uuid or id; undefined if there is none. */
  get(wanted: string): WorkloadRecord | undefined {
    const named = this.#records.get(wanted)?.record;
    return named ?? this.all.find(({ workload: { uuid } }) => uuid === wanted || workloadIdOf(uuid) === wanted);
  }

  /** @throws MESH_WORKLOAD_UNKNOWN */
  find(wanted: string): WorkloadRecord {
    const record = this.get(wanted);
    if (record !== undefined) return record;
    throw new MeshError('MESH_WORKLOAD_UNKNOWN', `host0 has no workload ${JSON.stringify(wanted)}`, {
      object: wanted,
      remedy: 'See `mesh workload list`. `mesh workload create FILE` makes one.',
    });
  }

  /**
   * Changes a workload.
   * @param decide is given the state that the change is made to; it may throw
   * @throws MESH_STORE_*, and what `decide` and `PortBook.together` throw
   */
  change<T>(
    decide: () => { readonly name: string; readonly order?: WorkloadChangeOrder; readonly result: T },
  ): Promise<T> {
    const result = this.#last.then(async () => {
      const { name, order, result } = decide();
      if (order !== undefined) await this.#commit(name, order);
      return result;
    });
    this.#last = result.catch(() => undefined);
    return result;
  }

  health(): readonly Finding[] {
    return this.#spoilt.map((name) => {
      const key = this.#collection.keyOf(name);
      const error = new MeshError('MESH_STATE_DAMAGED', `the document of a workload cannot be read: ${key}`, {
        remedy: 'It is damaged, or of a later version of Meshwork: install that version, or delete the document',
      });
      return findingOf(error, { object: key, severity: 'error' });
    });
  }

  /** In the store first, and then here. */
  async #commit(name: string, { after, ports = {} }: WorkloadChangeOrder): Promise<void> {
    const before = this.#records.get(name);
    let record: WorkloadRecord | undefined;
    const compare = [this.#collection.at(name, before?.modRevision ?? 0)];
    const revision = await this.#ports.together(
      ports,
      (made) => {
        record = after?.(made.map(({ id }) => id));
        return {
          compare,
          changes: [record === undefined ? this.#collection.remove(name) : this.#collection.put(record)],
        };
      },
      this.#isFreePort,
    );
    if (revision === undefined) throw changedByAnother(this.#collection.keyOf(name));
    this.#revision = revision;
    if (record === undefined) this.#records.delete(name);
    else this.#records.set(name, { record, modRevision: revision });
    const machines = [before?.record.at?.machine, record?.at?.machine].filter((machine) => machine !== undefined);
    this.#changes.emit([...new Set(machines)]);
  }
}

type ReadWorkloads = Awaited<ReturnType<Collection<WorkloadRecord>['list']>>;
