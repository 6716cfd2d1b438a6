/**
 * A store without its disk: entries, revisions, the evaluation of transactions, and history. The memory store is only a
 * ledger. The sqlite store publishes to its ledger what the disk has taken.
 */
import { MeshError } from '../model/error.ts';
import { LedgerWatch } from './ledger-watch.ts';
import type { Change, Compare, Entry, TxnResult, Watch, WatchBatch } from './store.ts';

/** How many revisions a watch can go back; those that changed no entry are not counted. */
export const HISTORY_REVISIONS = 10_000;

/** A transaction: `then` applies when all comparisons hold, else `otherwise`. */
export interface Txn {
  readonly compare: readonly Compare[];
  readonly then: readonly Change[];
  readonly otherwise: readonly Change[];
}

/** The contents of a ledger, as read from a disk. */
export interface LedgerImage {
  readonly revision: number;
  /** History up to this revision is gone. */
  readonly compacted: number;
  readonly entries: readonly Entry[];
  /** The batches after `compacted`, in order. A revision without one has changed no entry. */
  readonly history: readonly WatchBatch[];
}

/** The results of transactions that were evaluated in order, and the changes that they would make. */
export interface TxnJudgement {
  readonly results: readonly TxnResult[];
  /** Empty when nothing would change. */
  readonly batches: readonly WatchBatch[];
  /** The new value of `compacted`. */
  readonly compacted: number;
}

/** Entries in key order with revisions; everything happens in memory and at once. */
export class Ledger {
  readonly #entries: Map<string, Entry>;
  /** All keys, sorted. */
  readonly #keys: string[];
  readonly #history: WatchBatch[];
  readonly #historyRevisions: number;
  #revision: number;
  #compacted: number;
  readonly #watches = new Set<LedgerWatch>();

  /**
   * Starts with the contents of a disk.
   * @param historyRevisions how many revisions of history are kept at least
   */
  constructor(image: LedgerImage, historyRevisions: number) {
    this.#entries = new Map(image.entries.map((entry) => [entry.key, entry]));
    this.#keys = [...this.#entries.keys()].sort();
    this.#history = [...image.history];
    this.#historyRevisions = historyRevisions;
    this.#revision = image.revision;
    this.#compacted = image.compacted;
  }

  /** The revision of the last change; 0 when there was none. */
  get revision(): number {
    return this.#revision;
  }

  /** History up to this revision is gone. */
  get compacted(): number {
    return this.#compacted;
  }

  /** The entry of `key`, or undefined. */
  get(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  /** All entries below `prefix`, in key order, and the present revision. */
  range(prefix: string): { entries: Entry[]; revision: number } {
    const entries: Entry[] = [];
    for (let i = this.#indexOf(prefix); i < this.#keys.length; i++) {
      const entry = this.#entries.get(this.#keys[i] ?? '');
      if (!entry?.key.startsWith(prefix)) break;
      entries.push(entry);
    }
    return { entries, revision: this.#revision };
  }

  /** Evaluates transactions in order, each with the changes of those before it. Changes nothing yet. */
  judge(txns: readonly Txn[]): TxnJudgement {
    const staged = new Map<string, Entry | undefined>();
    const at = (key: string) => (staged.has(key) ? staged.get(key) : this.#entries.get(key));
    const batches: WatchBatch[] = [];
    let revision = this.#revision;
    const results = txns.map(({ compare, then, otherwise }) => {
      const succeeded = compare.every(({ key, modRevision }) => (at(key)?.modRevision ?? 0) === modRevision);
      const changes = (succeeded ? then : otherwise).flatMap((change) => changeAt(change, revision + 1, at));
      if (changes.length > 0) batches.push({ revision: ++revision, changes });
      for (const change of changes) {
        if ('put' in change) staged.set(change.put.key, change.put);
        else staged.set(change.delete, undefined);
      }
      return { succeeded, revision };
    });
    return { results, batches, compacted: this.#compactedAfter(batches) };
  }

  /** Applies a judgement, and wakes the watches. Nothing else may have been published since the judgement was made. */
  publish({ batches, compacted }: TxnJudgement): void {
    for (const batch of batches) {
      for (const change of batch.changes) {
        if ('put' in change) this.#put(change.put);
        else this.#delete(change.delete);
      }
      this.#history.push(batch);
      this.#revision = batch.revision;
    }
    this.#history.splice(0, this.#historyFrom(compacted + 1));
    this.#compacted = compacted;
    for (const watch of this.#watches) watch.wake();
  }

  /**
   * Takes what another place has made durable, up to `revision`. Most revisions of a place that others use, too, have no batch, and
   * cost nothing here.
   */
  follow(batches: readonly WatchBatch[], revision: number): void {
    this.publish({ results: [], batches, compacted: this.#compactedAfter(batches) });
    this.#revision = Math.max(this.#revision, revision);
  }

  /** Begins anew with other contents: watches hear nothing of what was between, and end with MESH_STORE_COMPACTED. */
  reset({ revision, entries }: Pick<LedgerImage, 'revision' | 'entries'>): void {
    this.#entries.clear();
    for (const entry of entries) this.#entries.set(entry.key, entry);
    this.#keys.length = 0;
    for (const key of [...this.#entries.keys()].sort()) this.#keys.push(key);
    this.#history.length = 0;
    this.#revision = revision;
    this.#compacted = revision;
    for (const watch of this.#watches) watch.wake();
  }

  /** The first batch at `revision` or later, which must be after `compacted`; undefined when no entry was changed since. */
  batchFrom(revision: number): WatchBatch | undefined {
    return this.#history[this.#historyFrom(revision)];
  }

  /** As `Store.watch`. */
  watch(
    prefix: string,
    fromRevision: number,
    onBatch: (batch: WatchBatch) => void,
    onError: (error: Error) => void,
  ): Watch {
    const watch = new LedgerWatch(this, prefix, fromRevision, onBatch, onError, () => this.#watches.delete(watch));
    this.#watches.add(watch);
    watch.wake();
    return watch;
  }

  /** Ends all watches: they deliver nothing more. */
  closeWatches(): void {
    for (const watch of this.#watches) watch.close();
  }

  #put(entry: Entry): void {
    if (!this.#entries.has(entry.key)) this.#keys.splice(this.#indexOf(entry.key), 0, entry.key);
    this.#entries.set(entry.key, entry);
  }

  #delete(key: string): void {
    if (this.#entries.delete(key)) this.#keys.splice(this.#indexOf(key), 1);
  }

  /** The index of the first key that is not before `key`. */
  #indexOf(key: string): number {
    return firstIndex(this.#keys, (other) => other >= key);
  }

  /** The index of the first batch that is not before `revision`. */
  #historyFrom(revision: number): number {
    return firstIndex(this.#history, (batch) => batch.revision >= revision);
  }

  /** Where history shall begin with more batches. History is cut only when it is a tenth too long, since cutting is expensive. */
  #compactedAfter(batches: readonly WatchBatch[]): number {
    const count = this.#history.length + batches.length;
    if (count <= this.#historyRevisions * 1.1) return this.#compacted;
    const last = count - this.#historyRevisions - 1;
    const { length } = this.#history;
    return (last < length ? this.#history[last] : batches[last - length])?.revision ?? this.#compacted;
  }
}

/** The index of the first item for which `isReached` holds, as it does for all that follow. */
function firstIndex<T>(items: readonly T[], isReached: (item: T) => boolean): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const item = items[middle];
    if (item !== undefined && !isReached(item)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The change as watches see it; none when an absent key is deleted. */
function changeAt(change: Change, revision: number, at: (key: string) => Entry | undefined): WatchBatch['changes'] {
  if ('delete' in change) return at(change.delete) === undefined ? [] : [change];
  const createRevision = at(change.put)?.createRevision ?? revision;
  return [{ put: { key: change.put, value: change.value, createRevision, modRevision: revision } }];
}

/**
 * Checks a transaction.
 * @throws MESH_INTERNAL when one of the two branches changes a key twice, which has no meaning
 */
export function makeTxn(compare: readonly Compare[], then: readonly Change[], otherwise: readonly Change[]): Txn {
  for (const branch of [then, otherwise]) {
    const keys = new Set<string>();
    for (const change of branch) {
      const key = 'put' in change ? change.put : change.delete;
      if (keys.has(key)) {
        throw new MeshError('MESH_INTERNAL', `a transaction changes ${key} twice`, {
          operation: 'store transaction',
          object: key,
          rule: 'A transaction changes each key at most once.',
        });
      }
      keys.add(key);
    }
  }
  return { compare, then, otherwise };
}
