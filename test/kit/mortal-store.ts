/** A store of a process that dies at any moment. */
import type { Change, Compare, Entry, Store, TxnResult, Watch } from '../../src/store/store.ts';

/** A store whose process may be killed: transactions that were not carried out by then are lost, or carried out unheard. */
export class MortalStore implements Store {
  readonly #disk: Store;
  readonly #random: () => number;
  #dead = false;
  #last: Promise<unknown> = Promise.resolve();

  constructor(disk: Store, random: () => number) {
    this.#disk = disk;
    this.#random = random;
  }

  get epoch(): string {
    return this.#disk.epoch;
  }

  get(key: string): Promise<Entry | undefined> {
    return this.#disk.get(key);
  }

  range(prefix: string) {
    return this.#disk.range(prefix);
  }

  /** In order, as sqlite does, and after a random number of turns of the event loop. */
  txn(compare: readonly Compare[], then: readonly Change[], otherwise?: readonly Change[]): Promise<TxnResult> {
    const result = this.#last
      .then(() => this.#turns())
      .then(() => {
        if (this.#dead) return new Promise<TxnResult>(() => {});
        if (this.#random() < 0.1) throw new Error('the disk is full');
        return this.#disk.txn(compare, then, otherwise);
      })
      .then((answer) => (this.#dead ? new Promise<TxnResult>(() => {}) : answer));
    this.#last = result.catch(() => undefined);
    return result;
  }

  watch(...input: Parameters<Store['watch']>): Watch {
    return this.#disk.watch(...input);
  }

  async close(): Promise<void> {}

  kill(): void {
    this.#dead = true;
  }

  async #turns(): Promise<void> {
    for (let turn = Math.floor(this.#random() * 10); turn > 0; turn--) await Promise.resolve();
  }
}
