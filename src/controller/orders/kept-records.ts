/**
 * Records that host0 alone changes, in memory and in the store: in the store first, and then here. The changes of one record are made
 * one after another, each to the record as the change before left it.
 */
import { isDeepStrictEqual } from 'node:util';
import { MeshError } from '../../model/error.ts';
import { Signal, type Subscribable } from '../../model/signal.ts';
import { Collection, type RecordForm, type Stored } from '../../store/collection.ts';
import { changedByAnother } from '../../store/record-table.ts';
import type { Compare, Store } from '../../store/store.ts';

/** Keeps records of one kind. */
export class KeptRecords<T> {
  readonly #collection: Collection<T>;
  readonly #records: Map<string, Stored<T>>;
  /** The names of records about which the store and this process may differ: a write failed, and may have been carried out. */
  readonly #doubtful = new Set<string>();
  readonly #last = new Map<string, Promise<unknown>>();
  readonly #changes = new Signal<string>();
  /** Emits the name of each record that has changed. */
  readonly changes: Subscribable<string> = this.#changes;
  /** The keys of records that cannot be read: damaged, or of a later version. */
  readonly unreadable: readonly string[];

  private constructor(collection: Collection<T>, records: readonly Stored<T>[], spoilt: readonly string[]) {
    this.#collection = collection;
    this.#records = new Map(records.map((stored) => [collection.nameOf(stored.record), stored]));
    this.unreadable = spoilt.map((name) => collection.keyOf(name));
  }

  /** Reads the records. @throws MESH_STORE_BROKEN */
  static async open<T>(store: Store, form: RecordForm<T>): Promise<KeptRecords<T>> {
    const collection = new Collection(store, form);
    const { records, spoilt } = await collection.list();
    return new KeptRecords(collection, records, spoilt);
  }

  /** All records, in the order of their keys when they were read, and then as they were made. */
  get all(): readonly T[] {
    return Array.from(this.#records.values(), ({ record }) => record);
  }

  get size(): number {
    return this.#records.size;
  }

  get(name: string): T | undefined {
    return this.#records.get(name)?.record;
  }

  /** The condition that this record is as this process knows it, for a transaction about another one. */
  unchanged(name: string): Compare {
    return this.#collection.at(name, this.#records.get(name)?.modRevision ?? 0);
  }

  /**
   * Makes, changes or removes one record.
   * @param change is given the record as it is, and gives the one that shall be; the same object changes nothing. It may be called again
   * @param conditions further conditions of the transaction
   * @returns the record after the change
   * @throws MESH_STORE_*, MESH_INTERNAL for a record that could not be read again, and what `change` throws
   */
  change(
    name: string,
    change: (before: T | undefined) => T | undefined,
    conditions: readonly Compare[] = [],
  ): Promise<T | undefined> {
    const result = (this.#last.get(name) ?? Promise.resolve()).then(() => this.#commit(name, change, conditions));
    const settled = result.catch(() => undefined);
    this.#last.set(name, settled);
    void settled.then(() => {
      if (this.#last.get(name) === settled) this.#last.delete(name);
    });
    return result;
  }

  async #commit(
    name: string,
    change: (before: T | undefined) => T | undefined,
    conditions: readonly Compare[],
  ): Promise<T | undefined> {
    if (this.#doubtful.has(name)) await this.#readAgain(name);
    const before = this.#records.get(name);
    const after = change(before?.record);
    if (after === before?.record) return after;
    if (after !== undefined && !this.#collection.canRead(after)) throw unreadable(this.#collection.keyOf(name));
    const write = after === undefined ? this.#collection.remove(name) : this.#collection.put(after);
    this.#doubtful.add(name);
    const compare = [this.#collection.at(name, before?.modRevision ?? 0), ...conditions];
    const { succeeded, revision } = await this.#collection.store.txn(compare, [write]);
    if (!succeeded) throw changedByAnother(this.#collection.keyOf(name));
    this.#doubtful.delete(name);
    if (after === undefined) this.#records.delete(name);
    else this.#records.set(name, { record: after, modRevision: revision });
    this.#changes.emit(name);
    return after;
  }

  /** Nobody else changes the records of this kind, except a write of ours whose answer was lost. */
  async #readAgain(name: string): Promise<void> {
    const stored = await this.#collection.get(name);
    this.#doubtful.delete(name);
    const isNew = !isDeepStrictEqual(stored?.record, this.#records.get(name)?.record);
    if (stored === undefined) this.#records.delete(name);
    else this.#records.set(name, stored);
    if (isNew) this.#changes.emit(name);
  }
}

/** A record in the store that cannot be read would be lost at the next start. */
function unreadable(key: string): MeshError {
  return new MeshError('MESH_INTERNAL', `${key} is not written: host0 could not read it again`, { object: key });
}
