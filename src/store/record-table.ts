/**
 * A collection in memory, which follows the store. Only the store's watch changes the table, so that all listeners see the
 * changes in the order in which they became durable.
 */
import type { Alarm, Clock } from '../model/clock.ts';
import { MeshError } from '../model/error.ts';
import type { Collection, RecordBatch, Stored } from './collection.ts';
import type { Change, Watch } from './store.ts';

/** A change of a table, told after it is in the table. */
export interface TableChange<T> {
  readonly name: string;
  /** Undefined when the record was removed. */
  readonly after: T | undefined;
  readonly before: T | undefined;
  readonly revision: number;
}

/** What a table reads, and what it calls. */
export interface RecordTableInput<T> {
  readonly collection: Collection<T>;
  readonly clock: Clock;
  /** Called for each change, also one that is equal to the record before. */
  readonly onChange: (change: TableChange<T>) => void;
  /** Called after the changes of one transaction. Absent: not called. */
  readonly onBatch?: () => void;
  /**
   * Called when all records have been read: at the start, and after the watch was lost. Everything may be different. A rejection counts
   * as `onFailure`.
   * @param before the records from before the watch was lost, by name; undefined at the start
   */
  readonly onLoad: (revision: number, before?: ReadonlyMap<string, T>) => Promise<void>;
  /** Called when the store cannot be read; the table tries again. */
  readonly onFailure: (error: unknown) => void;
}

/** How long to wait before the next attempt to read the store. */
const RELOAD_MS = 1_000;

/** Reads the records, follows their changes, and writes new ones. */
export class RecordTable<T> {
  readonly #input: RecordTableInput<T>;
  #records = new Map<string, Stored<T>>();
  #spoilt = new Set<string>();
  #revision = 0;
  #watch: Watch | undefined;
  #reload: Alarm | undefined;
  #waiting: { readonly revision: number; readonly resolve: () => void }[] = [];
  #loaded = false;
  #closed = false;

  constructor(input: RecordTableInput<T>) {
    this.#input = input;
  }

  /** Whether the store has been read. */
  get loaded(): boolean {
    return this.#loaded;
  }

  /** The store's revision that the table shows, as far as the table knows. */
  get revision(): number {
    return this.#revision;
  }

  get size(): number {
    return this.#records.size;
  }

  get records(): IteratorObject<T> {
    return this.#records.values().map(({ record }) => record);
  }

  /** The names of entries that are no records. */
  get spoilt(): ReadonlySet<string> {
    return this.#spoilt;
  }

  get(name: string): T | undefined {
    return this.#records.get(name)?.record;
  }

  /** The revision that last changed the record of this name, for a comparison; 0 when there is none. */
  modRevisionOf(name: string): number {
    return this.#records.get(name)?.modRevision ?? 0;
  }

  /** Reads all records, and keeps trying. Never rejects. */
  async start(): Promise<void> {
    try {
      await this.#load();
    } catch (error) {
      this.#lost(error);
    }
  }

  /**
   * Writes a record over the one that the table shows. When this resolves, the change is durable and `onChange` was called.
   * @throws MESH_STORE_*
   */
  async put(record: T): Promise<void> {
    const { collection } = this.#input;
    await this.#commit(collection.nameOf(record), collection.put(record));
  }

  /** Writes a record as `put` does, and also over an entry that is no record, which `put` leaves alone. @throws MESH_STORE_* */
  async replace(record: T): Promise<void> {
    const { collection } = this.#input;
    const name = collection.nameOf(record);
    if (!this.#spoilt.has(name)) return await this.put(record);
    const entry = await collection.store.get(collection.keyOf(name));
    await this.#commit(name, collection.put(record), entry?.modRevision ?? 0);
  }

  /** Removes a record, with the same promise as `put`. */
  async remove(name: string): Promise<void> {
    await this.#commit(name, this.#input.collection.remove(name));
  }

  /** Resolves when the table shows this revision. */
  async shows(revision: number): Promise<void> {
    if (revision <= this.#revision || this.#closed) return;
    await new Promise<void>((resolve) => this.#waiting.push({ revision, resolve }));
  }

  /** Removes entries that are no records from the store. */
  async discard(names: Iterable<string>): Promise<void> {
    const { collection } = this.#input;
    const changes = Array.from(names, (name) => collection.remove(name));
    if (changes.length > 0) await collection.store.txn([], changes);
  }

  /** Closes the table for good, and removes all its entries from the store. */
  async forget(): Promise<void> {
    this.close();
    const { collection } = this.#input;
    const { records, spoilt } = await collection.list();
    await this.discard([...records.map(({ record }) => collection.nameOf(record)), ...spoilt]);
  }

  close(): void {
    this.#closed = true;
    this.#watch?.close();
    this.#reload?.cancel();
    this.#reached(Number.POSITIVE_INFINITY);
  }

  async #load(): Promise<void> {
    const { collection, onLoad } = this.#input;
    const { records, spoilt, revision } = await collection.list();
    if (this.#closed) return;
    const before = this.#records;
    const wasLoaded = this.#loaded;
    this.#records = new Map(records.map((stored) => [collection.nameOf(stored.record), stored]));
    // As for a change that the watch brings: nothing goes by a fault.
    for (const name of spoilt) {
      const known = before.get(name);
      if (known !== undefined) this.#records.set(name, known);
    }
    this.#spoilt = new Set(spoilt);
    this.#revision = revision;
    this.#loaded = true;
    this.#reached(revision);
    this.#watch = collection.watch(
      revision + 1,
      (batch) => this.#apply(batch),
      (error) => this.#lost(error),
    );
    await (wasLoaded
      ? onLoad(revision, new Map(Array.from(before, ([name, { record }]) => [name, record])))
      : onLoad(revision));
  }

  async #commit(name: string, change: Change, over = this.modRevisionOf(name)): Promise<void> {
    const { collection } = this.#input;
    const { succeeded, revision } = await collection.store.txn([collection.at(name, over)], [change]);
    if (!succeeded) throw changedByAnother(collection.keyOf(name));
    await this.shows(revision);
  }

  #apply({ revision, changes }: RecordBatch<T>): void {
    this.#revision = revision;
    for (const { name, stored, isRemoved } of changes) {
      // An entry that is damaged in the store does not remove the record: nothing goes by a fault.
      if (stored === undefined && !isRemoved) {
        this.#spoilt.add(name);
        continue;
      }
      this.#spoilt.delete(name);
      const before = this.#records.get(name)?.record;
      if (stored === undefined) this.#records.delete(name);
      else this.#records.set(name, stored);
      if (before === undefined && stored === undefined) continue;
      this.#input.onChange({ name, after: stored?.record, before, revision });
    }
    this.#input.onBatch?.();
    this.#reached(revision);
  }

  #reached(revision: number): void {
    const done = this.#waiting.filter((waiting) => waiting.revision <= revision);
    this.#waiting = this.#waiting.filter((waiting) => waiting.revision > revision);
    for (const { resolve } of done) resolve();
  }

  /** Without the watch the table would not change any more: all records are read again. */
  #lost(error: unknown): void {
    this.#watch?.close();
    if (this.#closed) return;
    this.#input.onFailure(error);
    this.#reload = this.#input.clock.after(RELOAD_MS, () => void this.start());
  }
}

/** The refusal of a write over a record that is not as it was read. */
export function changedByAnother(key: string): MeshError {
  return new MeshError('MESH_STORE_CONFLICT', `${key} was changed by another program`, {
    object: key,
    retryable: true,
  });
}
