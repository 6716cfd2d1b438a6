/** Ends the moves of workloads: as soon as one has stopped on its node, its disks are copied to the other, and it goes there. */
import type { Alarm, Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineWord } from '../../model/machine.ts';
import { workloadIdOf } from '../../model/workload/workload.ts';
import type { CopyName } from '../../protocol/documents/workload/volume-copy.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import type { MoveNotes } from './move-notes.ts';
import type { WorkloadBook } from './workload-book.ts';
import type { WorkloadOrders } from './workload-orders.ts';
import type { WorkloadRecord } from './workload-record.ts';
import type { WorkloadReports } from './workload-reports.ts';

/** A place that is full now may have room a little later. Each try reads and writes the store. */
const RETRY_MS = 10_000;

/** How the disks of a workload get from one node to another. */
export interface DiskCopies {
  /** Resolves when all are there. A copy that was cut goes on. @throws errors of the nodes */
  copy(
    name: CopyName,
    way: { readonly from: MachineWord; readonly to: MachineWord },
    under: { readonly onProgress: (percent: number) => void; readonly signal: AbortSignal },
  ): Promise<void>;
  /** Removes what has arrived. @throws the error of a node that does not answer */
  drop(name: CopyName, at: MachineWord): Promise<void>;
}

/** What the moves work on. */
export interface WorkloadMovesInput {
  readonly clock: Clock;
  readonly book: WorkloadBook;
  readonly reports: WorkloadReports;
  readonly orders: Pick<WorkloadOrders, 'moved'>;
  readonly notes: MoveNotes;
  readonly copies: DiskCopies;
  /** The present epoch of assignments. */
  readonly epoch: () => string;
  readonly journal: Pick<Journal, 'failure'>;
}

/** A move that is under way, or has failed a moment ago. */
interface Under {
  /** Of the workload. */
  readonly id: string;
  readonly moving: NonNullable<WorkloadRecord['moving']>;
  readonly copying: AbortController;
}

/** Watches workloads that move, those of an earlier run of host0 too. @returns a function that ends the watch */
export function followMoves({
  clock,
  book,
  reports,
  orders,
  notes,
  copies,
  epoch,
  journal,
}: WorkloadMovesInput): () => void {
  const under = new Map<string, Under>();
  const retries = new Set<Alarm>();

  /** Only a stop that follows the order of the move counts: a guest that failed may be about to start again. */
  const hasStopped = ({ workload: { name, uuid }, at }: WorkloadRecord): boolean => {
    if (at === undefined || !reports.isReached(at.machine)) return false;
    const run = reports.runOn(at.machine, workloadIdOf(uuid));
    if (run?.state !== 'stopped' || run.pid !== undefined) return false;
    return reports.hasTaken(at.machine, { epoch: epoch(), revision: book.revisionOf(name) });
  };
  const carryOut = async ({ workload: { name }, at }: WorkloadRecord, { id, moving, copying }: Under) => {
    if (moving.copy !== undefined && at !== undefined) {
      const onProgress = (percent: number) => notes.note(name, `its disks are copied: ${percent} %`);
      const copyName = { workload: id, word: moving.copy };
      await copies.copy(copyName, { from: at.machine, to: moving.machine }, { onProgress, signal: copying.signal });
    }
    await orders.moved(name, moving);
  };
  /** The move was given up: what has arrived of the disks goes. What cannot be removed now is removed by the next move, or after a day. */
  const giveUp = (name: string, { id, moving, copying }: Under) => {
    copying.abort();
    under.delete(name);
    if (moving.copy === undefined || book.get(name)?.arrived === moving.copy) return;
    copies.drop({ workload: id, word: moving.copy }, moving.machine).catch((thrown: unknown) => {
      journal.failure('copied disks not removed', thrown);
    });
  };
  const look = () => {
    for (const [name, one] of under) {
      const now = book.get(name)?.moving;
      if (now?.machine !== one.moving.machine || now.copy !== one.moving.copy) giveUp(name, one);
    }
    for (const record of book.all) {
      const { name, uuid } = record.workload;
      if (record.moving === undefined) notes.forget(name);
      if (record.moving === undefined || under.has(name) || !hasStopped(record)) continue;
      const one: Under = { id: workloadIdOf(uuid), moving: record.moving, copying: new AbortController() };
      under.set(name, one);
      carryOut(record, one)
        .then(() => {
          if (under.get(name) === one) under.delete(name);
        })
        .catch((thrown: unknown) => failed(name, one, thrown));
    }
  };
  const failed = (name: string, one: Under, thrown: unknown) => {
    // What was given up has failed for that.
    if (under.get(name) !== one) return;
    notes.note(name, MeshError.from(thrown).message);
    journal.failure('workload not moved', thrown);
    const retry = clock.after(RETRY_MS, () => {
      retries.delete(retry);
      if (under.get(name) === one) under.delete(name);
      look();
    });
    retries.add(retry);
  };
  const ends = [reports.changes.subscribe(look), book.changes.subscribe(look)];
  return () => {
    for (const end of ends) end();
    for (const retry of retries) retry.cancel();
    for (const { copying } of under.values()) copying.abort();
  };
}
