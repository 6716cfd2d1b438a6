/** The order of changes of networks: one after the other, and creations that follow each other together. */
import type { Network } from '../../model/network/network.ts';
import type { NetworkOrder } from '../../protocol/documents/catalogue.ts';
import type { Creation } from './network-creations.ts';

/** Carries changes out in the order in which they are asked for. */
export class ChangeQueue {
  readonly #mustBeReady: () => void;
  readonly #makeAll: (creations: readonly Creation[]) => Promise<void>;
  #last: Promise<unknown> = Promise.resolve();
  /** Creations that wait for their turn, as long as nothing else was asked for since. */
  #waiting: Creation[] | undefined;

  /**
   * @param mustBeReady throws while no change can be carried out
   * @param makeAll makes networks, and tells of each
   */
  constructor(mustBeReady: () => void, makeAll: (creations: readonly Creation[]) => Promise<void>) {
    this.#mustBeReady = mustBeReady;
    this.#makeAll = makeAll;
  }

  /** Resolves when what was asked for is done, or has failed. */
  async idle(): Promise<void> {
    await this.#last;
  }

  /** Carries a change out after those before it. */
  run<T>(work: () => Promise<T>): Promise<T> {
    // What is created from now on comes after this work.
    this.#waiting = undefined;
    const result = this.#last.then(() => {
      this.#mustBeReady();
      return work();
    });
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Makes a network, together with others that wait for their turn. */
  create(order: NetworkOrder, dryRun: boolean): Promise<Network> {
    const { promise, resolve, reject } = Promise.withResolvers<Network>();
    this.#waiting ??= this.#newGroup();
    this.#waiting.push({ order, dryRun, resolve, reject });
    return promise;
  }

  #newGroup(): Creation[] {
    const group: Creation[] = [];
    const close = () => {
      if (this.#waiting === group) this.#waiting = undefined;
    };
    const made = this.run(() => {
      close();
      return this.#makeAll(group);
    });
    made.catch((thrown: unknown) => {
      close();
      for (const { reject } of group) reject(thrown);
    });
    return group;
  }
}
