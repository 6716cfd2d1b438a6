/**
 * The records of one kind in the store: all entries below one prefix, each with its form. Every part of host0 that keeps
 * records goes through a collection, so that a record is read, checked, written and watched in one way.
 *
 * A collection makes comparisons and changes; `Store.txn` takes those of several collections in one transaction. That is the only
 * way to the disk, and so the place for a condition that every write must fulfil, such as "this host0 still leads".
 */
import { setImmediate } from 'node:timers/promises';
import { readDocument } from '../protocol/shapes/document.ts';
import type { Shape } from '../protocol/shapes/form.ts';
import type { Change, Compare, Entry, Store, Watch } from './store.ts';

/** How a kind of record is named and written. */
export interface RecordForm<T> {
  /** What the keys of all records begin with: `/v1/machines/`. */
  readonly prefix: string;
  /** Whether the rest of a key can be the name of such a record: records of another kind may be below the same prefix. Absent: always. */
  readonly isName?: (name: string) => boolean;
  /** The rest of a record's key. */
  readonly nameOf: (record: T) => string;
  /** Reads a value. @returns undefined for a damaged record; one that is below another record's name counts as damaged, too */
  readonly parse: (value: string) => T | undefined;
  readonly print: (record: T) => string;
}

/** A record as it is in the store. */
export interface Stored<T> {
  readonly record: T;
  /** The revision that last changed the record. */
  readonly modRevision: number;
}

/** All records at one revision, in the order of their keys. */
export interface Listing<T> {
  readonly records: readonly Stored<T>[];
  /** The names of entries that are no records: damaged, or of another time. */
  readonly spoilt: readonly string[];
  readonly revision: number;
}

/** A change of one record. A value that is no record is a change without `record`, as if the record was removed. */
export interface RecordChange<T> {
  readonly name: string;
  readonly stored?: Stored<T>;
  /** Whether the entry is gone, and not only unreadable. */
  readonly isRemoved: boolean;
}

/** All changes of one revision. */
export interface RecordBatch<T> {
  readonly revision: number;
  readonly changes: readonly RecordChange<T>[];
}

/** The form of records that are JSON documents of one shape. A longer text than `lengthMax` is no record. */
export function jsonRecords<T>(
  prefix: string,
  nameOf: (record: T) => string,
  shape: Shape<T>,
  lengthMax: number,
): RecordForm<T> {
  return {
    prefix,
    nameOf,
    parse: (value) => readDocument(shape, value, lengthMax).document,
    print: (record) => JSON.stringify(record),
  };
}

/** Records that are read at once, in some milliseconds: ten thousand take most of a second, in which host0 would do nothing else. */
const READ_AT_ONCE = 500;

/** Reads, writes and watches the records of one kind. It keeps nothing in memory. */
export class Collection<T> {
  readonly #store: Store;
  readonly #form: RecordForm<T>;

  constructor(store: Store, form: RecordForm<T>) {
    this.#store = store;
    this.#form = form;
  }

  /** The store that the records are in, with its epoch. */
  get store(): Store {
    return this.#store;
  }

  nameOf(record: T): string {
    return this.#form.nameOf(record);
  }

  /** The key of a record in the store. */
  keyOf(name: string): string {
    return this.#form.prefix + name;
  }

  /** The record of this name; undefined if there is none, or a damaged one. @throws MESH_STORE_BROKEN */
  async get(name: string): Promise<Stored<T> | undefined> {
    const entry = await this.#store.get(this.keyOf(name));
    return entry && this.#read(entry);
  }

  /** All records. @throws MESH_STORE_BROKEN */
  async list(): Promise<Listing<T>> {
    const { entries, revision } = await this.#store.range(this.#form.prefix);
    const records: Stored<T>[] = [];
    const spoilt: string[] = [];
    for (const [at, entry] of entries.entries()) {
      // The entries are as they were; what changes meanwhile comes by a watch from the revision on.
      if (at % READ_AT_ONCE === READ_AT_ONCE - 1) await setImmediate();
      if (!this.#isOurs(entry.key)) continue;
      const stored = this.#read(entry);
      if (stored === undefined) spoilt.push(this.#nameIn(entry.key));
      else records.push(stored);
    }
    return { records, spoilt, revision };
  }

  /** As `Store.watch`, with the records of the entries. */
  watch(fromRevision: number, onBatch: (batch: RecordBatch<T>) => void, onError: (error: Error) => void): Watch {
    return this.#store.watch(
      this.#form.prefix,
      fromRevision,
      ({ revision, changes }) => {
        const ours = changes.filter((change) => this.#isOurs('delete' in change ? change.delete : change.put.key));
        onBatch({
          revision,
          changes: ours.map((change) => {
            if ('delete' in change) return { name: this.#nameIn(change.delete), isRemoved: true };
            const stored = this.#read(change.put);
            return { name: this.#nameIn(change.put.key), isRemoved: false, ...(stored !== undefined && { stored }) };
          }),
        });
      },
      onError,
    );
  }

  /** Whether a record could be read again after it was written: it is not too long, and fits its form. */
  canRead(record: T): boolean {
    const again = this.#form.parse(this.#form.print(record));
    return again !== undefined && this.nameOf(again) === this.nameOf(record);
  }

  /** The change that writes a record. */
  put(record: T): Change {
    return { put: this.keyOf(this.nameOf(record)), value: this.#form.print(record) };
  }

  /** The change that removes the record of this name. */
  remove(name: string): Change {
    return { delete: this.keyOf(name) };
  }

  /** The condition that the record of this name was last changed by that revision; 0: that there is no record. */
  at(name: string, modRevision: number): Compare {
    return { key: this.keyOf(name), modRevision };
  }

  #isOurs(key: string): boolean {
    return this.#form.isName?.(this.#nameIn(key)) ?? true;
  }

  #nameIn(key: string): string {
    return key.slice(this.#form.prefix.length);
  }

  #read({ key, value, modRevision }: Entry): Stored<T> | undefined {
    const record = this.#form.parse(value);
    if (record === undefined || this.keyOf(this.nameOf(record)) !== key) return undefined;
    return { record, modRevision };
  }
}
