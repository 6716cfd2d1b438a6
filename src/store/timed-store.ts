/** A store that says how long its transactions take. */
import type { Change, Compare, Entry, Store, TxnResult, Watch, WatchBatch } from './store.ts';

/** A disk that is busy takes seconds; one that takes longer than this will not answer any more. */
const COMMIT_LONGEST_MS = 30_000;

/** `conflict`: a comparison did not hold, so the other branch was taken. */
export type TxnOutcome = 'done' | 'conflict' | 'failed';

export class TimedStore implements Store {
  readonly #store: Store;
  readonly #nowMs: () => number;
  readonly #report: (outcome: TxnOutcome, durationMs: number) => void;
  readonly #underWay = new Set<{ readonly startMs: number }>();

  constructor(store: Store, nowMs: () => number, report: (outcome: TxnOutcome, durationMs: number) => void) {
    this.#store = store;
    this.#nowMs = nowMs;
    this.#report = report;
  }

  get epoch(): string {
    return this.#store.epoch;
  }

  /** Why only a new process would help: a transaction waits for the disk in vain. Undefined when none does. */
  get stuck(): string | undefined {
    const [oldest] = this.#underWay;
    if (oldest === undefined || this.#nowMs() - oldest.startMs <= COMMIT_LONGEST_MS) return undefined;
    return 'the disk has not taken a change for half a minute';
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
      return result;
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
