/** The step that starts the workload of an order. */
import type { Workload } from '../../model/workload/workload.ts';
import type { Order, StepMade } from '../../protocol/documents/order/order.ts';
import type { WorkloadView } from '../../protocol/documents/workload/workload-view.ts';
import type { WorkloadOrders } from '../workloads/workload-orders.ts';
import { workloadTwice } from '../workloads/workload-refusals.ts';
import type { StepWork, WorkOutcome } from './step-work.ts';

type Workloads = Pick<WorkloadOrders, 'list' | 'madeBy' | 'start' | 'remove'>;

/** Starts workloads. Each has the mark of its order. */
export class WorkloadStep implements StepWork {
  readonly #workloads: Workloads;

  constructor(workloads: Workloads) {
    this.#workloads = workloads;
  }

  words({ wish }: Pick<Order, 'wish'>): string {
    return `start workload ${workloadOf(wish).workload.name}`;
  }

  async check({ wish }: Pick<Order, 'wish'>): Promise<void> {
    const { workload, node } = workloadOf(wish);
    // The order would delete the workload when it is undone, with the disks, and has not made it.
    if (this.#called(workload) !== undefined) throw workloadTwice(workload, `there is a workload ${workload.name}`);
    await this.#workloads.start(workload.name, { workload, ...(node !== undefined && { node }), dryRun: true });
  }

  async do({ wish, mark }: Order): Promise<WorkOutcome> {
    const { workload, node } = workloadOf(wish);
    const known = this.#workloads.madeBy(mark);
    // Another start would be another generation, and so another boot of the guest.
    if (known !== undefined && known.wanted !== 'stopped') return { made: madeOf(known) };
    const { workload: view } = await this.#workloads.start(workload.name, {
      workload,
      ...(node !== undefined && { node }),
      order: mark,
    });
    return { made: madeOf(view) };
  }

  async undo({ wish, mark }: Order, made: StepMade): Promise<undefined> {
    // Earlier versions did not mark a workload. It is the order's once the step was done.
    const former = made.workloadid === undefined ? undefined : this.#called(workloadOf(wish).workload);
    const known = this.#workloads.madeBy(mark) ?? former;
    if (known !== undefined) await this.#workloads.remove(known.name, { force: true });
  }

  #called({ uuid }: Workload): WorkloadView | undefined {
    return this.#workloads.list().find(({ workload }) => workload.uuid === uuid);
  }
}

function workloadOf(wish: Order['wish']): { readonly workload: Workload; readonly node?: string } {
  if (wish.kind !== 'vm') throw new TypeError(`an order of the kind ${wish.kind} starts no workload`);
  return wish;
}

function madeOf({ name, id, node }: WorkloadView): Readonly<Record<string, string>> {
  return { workload: name, workloadid: id, ...(node !== undefined && { node }) };
}
