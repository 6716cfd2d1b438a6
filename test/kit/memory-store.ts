/** A store in memory: it keeps the contract of `Store`, except that its contents do not survive the process. */
import { randomBytes } from 'node:crypto';
import { MeshError } from '../../src/model/error.ts';
import { HISTORY_REVISIONS, Ledger, makeTxn } from '../../src/store/ledger.ts';
import type { Change, Compare, Entry, Store, TxnResult, Watch, WatchBatch } from '../../src/store/store.ts';

interface MemoryStoreOptions {
  readonly epoch?: string;
  readonly historyRevisions?: number;
}

/** Empty at first; `epoch` is 16 random hex digits unless given. */
export class MemoryStore implements Store {
  readonly epoch: string;
  readonly #ledger: Ledger;
  #closed = false;

  constructor({
    epoch = randomBytes(8).toString('hex'),
    historyRevisions = HISTORY_REVISIONS,
  }: MemoryStoreOptions = {}) {
    this.epoch = epoch;
    this.#ledger = new Ledger({ revision: 0, compacted: 0, entries: [], history: [] }, historyRevisions);
  }

  async get(key: string): Promise<Entry | undefined> {
    return this.#opened().get(key);
  }

  async range(prefix: string): Promise<{ entries: readonly Entry[]; revision: number }> {
    return this.#opened().range(prefix);
  }

  async txn(
    compare: readonly Compare[],
    then: readonly Change[],
    otherwise: readonly Change[] = [],
  ): Promise<TxnResult> {
    const ledger = this.#opened();
    const judgement = ledger.judge([makeTxn(compare, then, otherwise)]);
    ledger.publish(judgement);
    return judgement.results[0] as TxnResult;
  }

  watch(
    prefix: string,
    fromRevision: number,
    onBatch: (batch: WatchBatch) => void,
    onError: (error: Error) => void,
  ): Watch {
    return this.#opened().watch(prefix, fromRevision, onBatch, onError);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#ledger.closeWatches();
  }

  #opened(): Ledger {
    if (this.#closed) throw new MeshError('MESH_STORE_BROKEN', 'the store is closed', { operation: 'use store' });
    return this.#ledger;
  }
}
