/** Ends the moves of workloads: as soon as one has stopped on its node, it goes to the other. */
import type { Alarm, Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { workloadIdOf } from '../../model/workload/workload.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import type { MoveFaults } from './move-faults.ts';
import type { WorkloadBook } from './workload-book.ts';
import type { WorkloadOrders } from './workload-orders.ts';
import type { WorkloadRecord } from './workload-record.ts';
import type { WorkloadReports } from './workload-reports.ts';

/** A place that is full now may have room a little later. Each try reads and writes the store. */
const RETRY_MS = 10_000;

/** What the moves work on. */
export interface WorkloadMovesInput {
  readonly clock: Clock;
  readonly book: WorkloadBook;
  readonly reports: WorkloadReports;
  readonly orders: Pick<WorkloadOrders, 'moved'>;
  readonly faults: MoveFaults;
  /** The present epoch of assignments. */
  readonly epoch: () => string;
  readonly journal: Pick<Journal, 'failure'>;
}

/** Watches workloads that move, those of an earlier run of host0 too. @returns a function that ends the watch */
export function followMoves({ clock, book, reports, orders, faults, epoch, journal }: WorkloadMovesInput): () => void {
  /** The workloads that are under way, or have failed a moment ago. */
  const under = new Set<string>();
  const retries = new Set<Alarm>();

  /** Only a stop that follows the order of the move counts: a guest that failed may be about to start again. */
  const hasStopped = ({ workload: { name, uuid }, at }: WorkloadRecord): boolean => {
    if (at === undefined || !reports.isReached(at.machine)) return false;
    const run = reports.runOn(at.machine, workloadIdOf(uuid));
    if (run?.state !== 'stopped' || run.pid !== undefined) return false;
    return reports.hasTaken(at.machine, { epoch: epoch(), revision: book.revisionOf(name) });
  };
  const look = () => {
    for (const record of book.all) {
      const { name } = record.workload;
      if (record.moving === undefined) faults.forget(name);
      if (record.moving === undefined || under.has(name) || !hasStopped(record)) continue;
      under.add(name);
      orders
        .moved(name)
        .then(() => under.delete(name))
        .catch((thrown: unknown) => failed(name, thrown));
    }
  };
  const failed = (name: string, thrown: unknown) => {
    faults.note(name, MeshError.from(thrown).message);
    journal.failure('workload not moved', thrown);
    const retry = clock.after(RETRY_MS, () => {
      retries.delete(retry);
      under.delete(name);
      look();
    });
    retries.add(retry);
  };
  const ends = [reports.changes.subscribe(look), book.changes.subscribe(look)];
  return () => {
    for (const end of ends) end();
    for (const retry of retries) retry.cancel();
  };
}
