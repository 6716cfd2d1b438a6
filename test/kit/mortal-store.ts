/** A store of a process that dies at any moment. */
import type { Change, Compare, Entry, Store, TxnResult, Watch } from '../../src/store/store.ts';

/**
 * A store whose process may be killed: transactions that were not carried out by then are lost, or carried out unheard. An answer
 * may be lost, too, while the process lives on.
 */
export class MortalStore implements Store {
  readonly #disk: Store;
  readonly #random: () => number;
  readonly #losesAnswer: () => boolean;
  #dead = false;
  #last: Promise<unknown> = Promise.resolve();

  /** @param losesAnswer whether the answer to the transaction that was just carried out is lost; absent: none is */
  constructor(disk: Store, random: () => number, losesAnswer: () => boolean = () => false) {
    this.#disk = disk;
    this.#random = random;
    this.#losesAnswer = losesAnswer;
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
      .then((answer) => {
        if (this.#dead) return new Promise<TxnResult>(() => {});
        if (this.#losesAnswer()) throw new Error('the answer was lost');
        return answer;
      });
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
