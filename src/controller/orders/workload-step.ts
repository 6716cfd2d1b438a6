/** The step that starts the workload of an order. */
import type { Workload } from '../../model/workload/workload.ts';
import type { Order } from '../../protocol/documents/order/order.ts';
import type { WorkloadView } from '../../protocol/documents/workload/workload-view.ts';
import type { WorkloadOrders } from '../workloads/workload-orders.ts';
import { workloadTwice } from '../workloads/workload-refusals.ts';
import type { StepWork, WorkOutcome } from './step-work.ts';

/** Starts workloads. */
export class WorkloadStep implements StepWork {
  readonly #workloads: Pick<WorkloadOrders, 'list' | 'start' | 'remove'>;

  constructor(workloads: Pick<WorkloadOrders, 'list' | 'start' | 'remove'>) {
    this.#workloads = workloads;
  }

  words({ wish }: Pick<Order, 'wish'>): string {
    return `start workload ${workloadOf(wish).workload.name}`;
  }

  async check({ wish }: Pick<Order, 'wish'>): Promise<void> {
    const { workload, node } = workloadOf(wish);
    // The order would delete the workload when it is undone, with the disks, and has not made it.
    if (this.#known(workload) !== undefined) throw workloadTwice(workload, `there is a workload ${workload.name}`);
    await this.#workloads.start(workload.name, { workload, ...(node !== undefined && { node }), dryRun: true });
  }

  async do({ wish }: Order): Promise<WorkOutcome> {
    const { workload, node } = workloadOf(wish);
    const known = this.#known(workload);
    // Another start would be another generation, and so another boot of the guest.
    if (known !== undefined && known.wanted !== 'stopped') return { made: madeOf(known) };
    const { workload: view } = await this.#workloads.start(workload.name, {
      workload,
      ...(node !== undefined && { node }),
    });
    return { made: madeOf(view) };
  }

  async undo({ wish }: Order): Promise<undefined> {
    const known = this.#known(workloadOf(wish).workload);
    if (known !== undefined) await this.#workloads.remove(known.name, { force: true });
  }

  /** The UUID is the order's: another workload of the same name is not. */
  #known({ uuid }: Workload): WorkloadView | undefined {
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
