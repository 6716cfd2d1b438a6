/** One watch of a ledger: it delivers the history from a given revision on, and then each new revision. */
import { MeshError } from '../model/error.ts';
import type { Watch, WatchBatch } from './store.ts';

/** The history that a watch reads: batches in order, from `compacted` + 1 to `revision`. */
interface History {
  readonly revision: number;
  readonly compacted: number;
  batchFrom(revision: number): WatchBatch | undefined;
}

/** Delivers batches below a prefix, in order, each once. */
export class LedgerWatch implements Watch {
  readonly #history: History;
  readonly #prefix: string;
  readonly #onBatch: (batch: WatchBatch) => void;
  readonly #onError: (error: Error) => void;
  readonly #onClose: () => void;
  #next: number;
  #awake = false;
  #closed = false;

  constructor(
    history: History,
    prefix: string,
    fromRevision: number,
    onBatch: (batch: WatchBatch) => void,
    onError: (error: Error) => void,
    onClose: () => void,
  ) {
    this.#history = history;
    this.#prefix = prefix;
    this.#next = Math.max(1, fromRevision);
    this.#onBatch = onBatch;
    this.#onError = onError;
    this.#onClose = onClose;
  }

  /** Delivers new history, in its own microtask: an exception of a listener must not reach the writer. */
  wake(): void {
    if (this.#awake || this.#closed) return;
    this.#awake = true;
    queueMicrotask(() => {
      this.#awake = false;
      this.#deliver();
    });
  }

  close(): void {
    this.#closed = true;
    this.#onClose();
  }

  #deliver(): void {
    while (!this.#closed && this.#next <= this.#history.revision) {
      if (this.#next <= this.#history.compacted) {
        this.close();
        this.#onError(this.#compactedError());
        return;
      }
      const batch = this.#history.batchFrom(this.#next);
      this.#next = (batch?.revision ?? this.#history.revision) + 1;
      if (batch === undefined) return;
      const changes = batch.changes.filter((change) =>
        ('put' in change ? change.put.key : change.delete).startsWith(this.#prefix),
      );
      if (changes.length > 0) this.#onBatch({ revision: batch.revision, changes });
    }
  }

  #compactedError(): MeshError {
    return new MeshError('MESH_STORE_COMPACTED', `history before revision ${this.#history.compacted + 1} is gone`, {
      operation: 'watch store',
      object: this.#prefix,
      remedy: 'Read the range again, and watch from its revision',
    });
  }
}
