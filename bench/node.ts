/** A node without host0: the agent's own loop on a real kernel, with given desired items. */
import type { ItemMap } from '../src/agent/items/item.ts';
import { SystemKernel } from '../src/agent/kernel/system-kernel.ts';
import { Reconciler } from '../src/agent/loop/reconciler.ts';
import { systemClock } from '../src/model/clock.ts';
import { Journal } from '../src/protocol/journal/journal.ts';

export class BenchNode implements AsyncDisposable {
  readonly reconciler: Reconciler;
  readonly #kernel: SystemKernel;

  private constructor(reconciler: Reconciler, kernel: SystemKernel) {
    this.reconciler = reconciler;
    this.#kernel = kernel;
  }

  /** Opens the kernel; `reconciler.start` makes the first pass. @param desired must return a new map for each change, since the loop compares maps */
  static async open(netns: string, desired: () => ItemMap): Promise<BenchNode> {
    const fail = (error: Error): never => {
      throw error;
    };
    const kernel = await SystemKernel.open(fail, { netns });
    const reconciler = new Reconciler({
      kernel,
      clock: systemClock,
      journal: new Journal(systemClock, 'bench', 'bench'),
      desire: () => ({ items: desired(), mayDelete: () => true, recorded: () => [] }),
      onLastingFailure: () => {},
    });
    return new BenchNode(reconciler, kernel);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.reconciler.close();
    await this.#kernel.close();
  }
}
