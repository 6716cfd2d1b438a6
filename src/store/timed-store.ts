/** Measures how long the transactions of a store take, and knows whether the last one failed. */
import { MeshError } from '../model/error.ts';
import type { Change, Compare, Entry, Store, TxnResult, Watch, WatchBatch } from './store.ts';

/** A busy disk takes seconds; a disk that takes longer than this will not answer any more. */
const COMMIT_LONGEST_MS = 30_000;

/** How a transaction ended. `conflict`: a comparison did not hold, so `otherwise` was applied. */
export type TxnOutcome = 'done' | 'conflict' | 'failed';

/** Passes all calls on to another store, and reports the outcome and duration of each transaction. */
export class TimedStore implements Store {
  readonly #store: Store;
  readonly #nowMs: () => number;
  readonly #report: (outcome: TxnOutcome, durationMs: number) => void;
  readonly #underWay = new Set<{ readonly startMs: number }>();
  #refusal: MeshError | undefined;

  constructor(store: Store, nowMs: () => number, report: (outcome: TxnOutcome, durationMs: number) => void) {
    this.#store = store;
    this.#nowMs = nowMs;
    this.#report = report;
  }

  get epoch(): string {
    return this.#store.epoch;
  }

  /** Why the process should be restarted: a transaction has waited too long for the disk. Undefined when none has. */
  get stuck(): string | undefined {
    const [oldest] = this.#underWay;
    if (oldest === undefined || this.#nowMs() - oldest.startMs <= COMMIT_LONGEST_MS) return undefined;
    return 'the store has not taken a change for half a minute';
  }

  /** Why the store takes no changes; undefined after a transaction that it took. */
  get refusal(): MeshError | undefined {
    return this.#refusal;
  }

  get(key: string): Promise<Entry | undefined> {
    return this.#store.get(key);
  }

  range(prefix: string): Promise<{ readonly entries: readonly Entry[]; readonly revision: number }> {
    return this.#store.range(prefix);
  }

  async txn(compare: readonly Compare[], then: readonly Change[], otherwise?: readonly Change[]): Promise<TxnResult> {
    const txn = { startMs: this.#nowMs() };
    this.#underWay.add(txn);
    let outcome: TxnOutcome = 'failed';
    try {
      const result = await this.#store.txn(compare, then, otherwise);
      outcome = result.succeeded ? 'done' : 'conflict';
      // A comparison that does not hold may have written nothing.
      if (result.succeeded && then.length > 0) this.#refusal = undefined;
      return result;
    } catch (thrown) {
      const error = MeshError.from(thrown);
      if (error.code === 'MESH_STORE_BROKEN' || error.code === 'MESH_STORE_REFUSED') this.#refusal = noChanges(error);
      throw thrown;
    } finally {
      this.#underWay.delete(txn);
      this.#report(outcome, this.#nowMs() - txn.startMs);
    }
  }

  watch(
    prefix: string,
    fromRevision: number,
    onBatch: (batch: WatchBatch) => void,
    onError: (error: Error) => void,
  ): Watch {
    return this.#store.watch(prefix, fromRevision, onBatch, onError);
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}

function noChanges(cause: MeshError): MeshError {
  const { code, message, remedy } = cause;
  const text = `the store takes no changes, and no machine can join: ${message}`;
  return new MeshError(code, text, { cause, ...(remedy !== undefined && { remedy }) });
}
