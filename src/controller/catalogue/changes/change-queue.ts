/** The order of changes of networks: one after the other, and those that follow each other and can share a transaction, together. */
import type { SharedChange } from './shared-changes.ts';

/** Carries changes out in the order in which they are asked for. */
export class ChangeQueue {
  readonly #mustBeReady: () => void;
  readonly #carryOut: (changes: readonly SharedChange[]) => Promise<void>;
  #last: Promise<unknown> = Promise.resolve();
  /** Changes that wait for their turn together, as long as nothing else was asked for since. */
  #waiting: SharedChange[] | undefined;

  /**
   * @param mustBeReady throws while no change can be carried out
   * @param carryOut carries changes out, and tells of each
   */
  constructor(mustBeReady: () => void, carryOut: (changes: readonly SharedChange[]) => Promise<void>) {
    this.#mustBeReady = mustBeReady;
    this.#carryOut = carryOut;
  }

  /** Resolves when what was asked for is done, or has failed. */
  async idle(): Promise<void> {
    await this.#last;
  }

  /** Carries a change out after those before it. */
  run<T>(work: () => Promise<T>): Promise<T> {
    // What is asked for from now on comes after this work.
    this.#waiting = undefined;
    const result = this.#last.then(() => {
      this.#mustBeReady();
      return work();
    });
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Carries a change out, together with others that wait for their turn. The change itself tells how it went. */
  share(change: SharedChange): void {
    this.#waiting ??= this.#newGroup();
    this.#waiting.push(change);
  }

  #newGroup(): SharedChange[] {
    const group: SharedChange[] = [];
    const close = () => {
      if (this.#waiting === group) this.#waiting = undefined;
    };
    const done = this.run(() => {
      close();
      return this.#carryOut(group);
    });
    done.catch((thrown: unknown) => {
      close();
      for (const { reject } of group) reject(thrown);
    });
    return group;
  }
}
