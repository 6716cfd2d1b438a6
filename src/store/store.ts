/**
 * The store: a small ordered map with revisions, what etcd and sqlite have in common. host0's controller is the only
 * writer. Each transaction that changes something gets the next revision, and all of its changes carry it.
 */

export interface Entry {
  readonly key: string;
  readonly value: string;
  /** The revision that made the key, and the one that last changed it. */
  readonly createRevision: number;
  readonly modRevision: number;
}

/** Holds when the key was last changed by `modRevision`; 0 means that it is absent. */
export interface Compare {
  readonly key: string;
  readonly modRevision: number;
}

export type Change = { readonly put: string; readonly value: string } | { readonly delete: string };

export interface TxnResult {
  /** Whether every comparison held, so that `then` was done and not `otherwise`. */
  readonly succeeded: boolean;
  /** The store's revision after it. */
  readonly revision: number;
}

/** All changes of one revision below the watched prefix, in the order in which they were written. */
export interface WatchBatch {
  readonly revision: number;
  readonly changes: readonly ({ readonly put: Entry } | { readonly delete: string })[];
}

export interface Watch {
  close(): void;
}

export interface Store {
  /** Made once, with the store: 16 hex digits. Another epoch means that the history before is lost. */
  readonly epoch: string;
  get(key: string): Promise<Entry | undefined>;
  /** Every entry whose key begins with `prefix`, in key order, and the revision at which that was so. */
  range(prefix: string): Promise<{ readonly entries: readonly Entry[]; readonly revision: number }>;
  /** Durable when it resolves. At most one change a key. */
  txn(compare: readonly Compare[], then: readonly Change[], otherwise?: readonly Change[]): Promise<TxnResult>;
  /**
   * Every batch with a revision ≥ `fromRevision`, in order, each once: first those that have been, then those to come.
   * @throws MESH_STORE_COMPACTED to `onError` when history does not reach back so far: read the range anew
   */
  watch(
    prefix: string,
    fromRevision: number,
    onBatch: (batch: WatchBatch) => void,
    onError: (error: Error) => void,
  ): Watch;
  close(): Promise<void>;
}
