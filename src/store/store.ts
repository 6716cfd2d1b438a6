/**
 * The store: a small ordered map with revisions, the common part of etcd and sqlite. Only host0's daemon writes to it.
 * Each transaction that changes something gets the next revision, and all of its changes carry that revision.
 */

/** A transaction has at most so many changes, and so many conditions: etcd takes 128 in all, and others stand beside them. */
export const TXN_CHANGES_MAX = 60;

/** A key with its value. */
export interface Entry {
  readonly key: string;
  readonly value: string;
  /** The revision that created the key, and the one that last changed it. */
  readonly createRevision: number;
  readonly modRevision: number;
}

/** A condition of a transaction: the revision that last changed the key; 0 means that the key is absent. */
export interface Compare {
  readonly key: string;
  readonly modRevision: number;
}

/** One change of a transaction: sets a key, or deletes it. */
export type Change = { readonly put: string; readonly value: string } | { readonly delete: string };

/** The outcome of a transaction. */
export interface TxnResult {
  /** Whether every comparison held, so that `then` was applied and not `otherwise`. */
  readonly succeeded: boolean;
  /** The store's revision after the transaction. */
  readonly revision: number;
}

/** All changes of one revision below the watched prefix, in the order in which they were written. */
export interface WatchBatch {
  readonly revision: number;
  readonly changes: readonly ({ readonly put: Entry } | { readonly delete: string })[];
}

/** A running watch; `close` ends it. */
export interface Watch {
  close(): void;
}

/** A durable map that orders all changes by revision. Implementations: sqlite; etcd; in memory for tests. */
export interface Store {
  /** 16 hex digits, made once with the store. Another epoch means that all history is lost. */
  readonly epoch: string;
  /** The entry of `key`, or undefined. */
  get(key: string): Promise<Entry | undefined>;
  /** All entries whose keys begin with `prefix`, in key order, and the revision at which they were read. */
  range(prefix: string): Promise<{ readonly entries: readonly Entry[]; readonly revision: number }>;
  /**
   * Applies `then` when all comparisons hold, else `otherwise`; durable when it resolves. At most one change for each
   * key. Transactions that have a key in common are carried out in the order in which they are asked for.
   * @throws MESH_STORE_BROKEN when nothing was written, MESH_INTERNAL for two changes of one key, MESH_STORE_TOO_LARGE for
   *   more than etcd takes at once
   */
  txn(compare: readonly Compare[], then: readonly Change[], otherwise?: readonly Change[]): Promise<TxnResult>;
  /**
   * Delivers every batch with a revision ≥ `fromRevision`, in order, each once: first past ones, then new ones.
   * @throws MESH_STORE_COMPACTED to `onError` when that part of the history is gone: read the range again
   */
  watch(
    prefix: string,
    fromRevision: number,
    onBatch: (batch: WatchBatch) => void,
    onError: (error: Error) => void,
  ): Watch;
  /** Finishes transactions under way, and refuses later calls. */
  close(): Promise<void>;
}
