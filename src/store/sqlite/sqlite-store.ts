/**
 * The store of a single host0: an sqlite file in WAL mode, whose commits a worker thread syncs to the disk. Reads are
 * answered from memory, and see only what the disk has taken. Transactions that arrive during a commit are evaluated
 * and committed together in the next one: two hundred joins cost a few syncs, not two hundred.
 */
import { dirname } from 'node:path';
import { makeDirectory, syncDirectory } from '../../disk/durable-file.ts';
import { MeshError } from '../../model/error.ts';
import { HISTORY_REVISIONS, Ledger, makeTxn, type Txn } from '../ledger.ts';
import type { Change, Compare, Entry, Store, TxnResult, Watch, WatchBatch } from '../store.ts';
import type { StoreOpening } from './sqlite-file.ts';
import { SqliteThread } from './sqlite-thread.ts';

/** How a store is opened. */
interface SqliteStoreOptions {
  /** How many revisions a watch can go back; HISTORY_REVISIONS when absent. */
  readonly historyRevisions?: number;
  /** How the store is told from a copy. Absent: it is not. */
  readonly opening?: StoreOpening;
}

interface WaitingTxn {
  readonly txn: Txn;
  readonly resolve: (result: TxnResult) => void;
  readonly reject: (error: Error) => void;
}

/** A store in one sqlite file, which only one process can open at a time. */
export class SqliteStore implements Store {
  readonly epoch: string;
  /** The file came from elsewhere (a backup, a copy), and was given another epoch when it was opened. */
  readonly isRenewed: boolean;
  readonly #thread: SqliteThread;
  readonly #ledger: Ledger;
  #waiting: WaitingTxn[] = [];
  /** Runs commits in sequence until no transaction waits; undefined when none is running. */
  #committing: Promise<void> | undefined;
  #closed = false;

  /**
   * Opens the store at `path`; makes a new one with a new epoch when there is none.
   * @throws MESH_STORE_BROKEN, MESH_DISK_REFUSED
   */
  static async open(
    path: string,
    { historyRevisions = HISTORY_REVISIONS, opening }: SqliteStoreOptions = {},
  ): Promise<SqliteStore> {
    await makeDirectory(dirname(path));
    const { thread, epoch, image, isRenewed } = await SqliteThread.open(path, opening);
    await syncDirectory(dirname(path));
    return new SqliteStore({ epoch, isRenewed }, thread, new Ledger(image, historyRevisions));
  }

  private constructor(
    { epoch, isRenewed }: { readonly epoch: string; readonly isRenewed: boolean },
    thread: SqliteThread,
    ledger: Ledger,
  ) {
    this.epoch = epoch;
    this.isRenewed = isRenewed;
    this.#thread = thread;
    this.#ledger = ledger;
  }

  /** Whether the store has ended without having been closed: only a restart of the process helps. */
  get hasEnded(): boolean {
    return !this.#closed && this.#thread.hasEnded;
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

  /** Finishes the transactions under way first. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#committing;
    this.#ledger.closeWatches();
    await this.#thread.close();
  }

  async #commitAll(): Promise<void> {
    // Wait one microtask: transactions that are asked for in the same tick go into one commit.
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
