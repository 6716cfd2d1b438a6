/** A process's view of the store: a change is durable after TXN_MS, or never if the process dies first. */
import type { Change, Compare, Entry, Store, TxnResult, Watch, WatchBatch } from '../../src/store/store.ts';
import type { ProcessClock } from './sim-clock.ts';

/** Duration of a transaction: sqlite with `synchronous=FULL` on a good disk. */
const TXN_MS = 2;
const READ_MS = 0.3;

/** The store of one daemon process. Its reads, writes and watches end with the process. */
export class ProcessStore implements Store {
  readonly #store: Store;
  readonly #clock: ProcessClock;
  readonly #watches: Watch[] = [];

  constructor(store: Store, clock: ProcessClock) {
    this.#store = store;
    this.#clock = clock;
  }

  get epoch(): string {
    return this.#store.epoch;
  }

  async get(key: string): Promise<Entry | undefined> {
    await this.#clock.pause(READ_MS);
    return this.#store.get(key);
  }

  async range(prefix: string): Promise<{ readonly entries: readonly Entry[]; readonly revision: number }> {
    await this.#clock.pause(READ_MS);
    return this.#store.range(prefix);
  }

  async txn(compare: readonly Compare[], then: readonly Change[], otherwise?: readonly Change[]): Promise<TxnResult> {
    await this.#clock.pause(TXN_MS);
    return this.#store.txn(compare, then, otherwise);
  }

  watch(
    prefix: string,
    fromRevision: number,
    onBatch: (batch: WatchBatch) => void,
    onError: (error: Error) => void,
  ): Watch {
    const watch = this.#store.watch(prefix, fromRevision, onBatch, onError);
    this.#watches.push(watch);
    return watch;
  }

  async close(): Promise<void> {
    for (const watch of this.#watches) watch.close();
  }
}
