/**
 * The store of a single host0: an sqlite file in WAL mode, each commit synced to the disk by a worker thread. Reads are
 * answered from memory, and see only what the disk has. Transactions that arrive while a commit is under way are judged
 * and committed together in the next one: two hundred joins cost a few syncs and not two hundred.
 */
import { dirname } from 'node:path';
import { makeDirectory, syncDirectory } from '../../disk/durable-file.ts';
import { MeshError } from '../../model/error.ts';
import { HISTORY_REVISIONS, Ledger, makeTxn, type Txn } from '../ledger.ts';
import type { Change, Compare, Entry, Store, TxnResult, Watch, WatchBatch } from '../store.ts';
import { SqliteThread } from './sqlite-thread.ts';

export interface SqliteStoreOptions {
  readonly historyRevisions?: number;
}

interface WaitingTxn {
  readonly txn: Txn;
  readonly resolve: (result: TxnResult) => void;
  readonly reject: (error: Error) => void;
}

export class SqliteStore implements Store {
  readonly epoch: string;
  readonly #thread: SqliteThread;
  readonly #ledger: Ledger;
  #waiting: WaitingTxn[] = [];
  /** The commits under way, one after the other until nothing waits. */
  #committing: Promise<void> | undefined;
  #closed = false;

  /**
   * Opens the store at `path`, or makes it, with a new epoch.
   * @throws MESH_STORE_BROKEN, MESH_DISK_REFUSED
   */
  static async open(
    path: string,
    { historyRevisions = HISTORY_REVISIONS }: SqliteStoreOptions = {},
  ): Promise<SqliteStore> {
    await makeDirectory(dirname(path));
    const { thread, epoch, image } = await SqliteThread.open(path);
    await syncDirectory(dirname(path));
    return new SqliteStore(epoch, thread, new Ledger(image, historyRevisions));
  }

  private constructor(epoch: string, thread: SqliteThread, ledger: Ledger) {
    this.epoch = epoch;
    this.#thread = thread;
    this.#ledger = ledger;
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
    this.#opened();
    const txn = makeTxn(compare, then, otherwise);
    const { promise, resolve, reject } = Promise.withResolvers<TxnResult>();
    this.#waiting.push({ txn, resolve, reject });
    this.#committing ??= this.#commitAll();
    return promise;
  }

  watch(
    prefix: string,
    fromRevision: number,
    onBatch: (batch: WatchBatch) => void,
    onError: (error: Error) => void,
  ): Watch {
    return this.#opened().watch(prefix, fromRevision, onBatch, onError);
  }

  /** Transactions under way are finished first. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#committing;
    this.#ledger.closeWatches();
    await this.#thread.close();
  }

  async #commitAll(): Promise<void> {
    // What is asked for in the same breath goes into one commit.
    await Promise.resolve();
    while (this.#waiting.length > 0) await this.#commitGroup(this.#waiting.splice(0));
    this.#committing = undefined;
  }

  async #commitGroup(group: readonly WaitingTxn[]): Promise<void> {
    const judgement = this.#ledger.judge(group.map(({ txn }) => txn));
    try {
      if (judgement.batches.length > 0) await this.#thread.commit(judgement);
    } catch (error) {
      for (const { reject } of group) reject(MeshError.from(error));
      return;
    }
    this.#ledger.publish(judgement);
    for (const [index, { resolve }] of group.entries()) resolve(judgement.results[index] as TxnResult);
  }

  #opened(): Ledger {
    if (this.#closed) throw new MeshError('MESH_STORE_BROKEN', 'the store is closed', { operation: 'use store' });
    return this.#ledger;
  }
}
