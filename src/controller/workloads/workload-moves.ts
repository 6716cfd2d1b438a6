/** Ends the moves of workloads: as soon as one has stopped on its node, it goes to the other. */
import { workloadIdOf } from '../../model/workload/workload.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import type { WorkloadBook } from './workload-book.ts';
import type { WorkloadOrders } from './workload-orders.ts';
import { isAlive, type WorkloadReports } from './workload-reports.ts';

/** What the moves work on. */
export interface WorkloadMovesInput {
  readonly book: WorkloadBook;
  readonly reports: WorkloadReports;
  readonly orders: Pick<WorkloadOrders, 'moved'>;
  readonly journal: Pick<Journal, 'failure'>;
}

/** Watches workloads that move, those of an earlier run of host0 too. @returns a function that ends the watch */
export function followMoves({ book, reports, orders, journal }: WorkloadMovesInput): () => void {
  const under = new Set<string>();
  const look = () => {
    for (const { workload, at, moving } of book.all) {
      const { name, uuid } = workload;
      if (moving === undefined || at === undefined || under.has(name) || !reports.isReached(at.machine)) continue;
      const run = reports.runOn(at.machine, workloadIdOf(uuid));
      if (run === undefined || isAlive(run)) continue;
      under.add(name);
      orders
        .moved(name)
        .catch((thrown: unknown) => journal.failure('workload not moved', thrown))
        .finally(() => under.delete(name));
    }
  };
  const ends = [reports.changes.subscribe(look), book.changes.subscribe(look)];
  return () => {
    for (const end of ends) end();
  };
}
