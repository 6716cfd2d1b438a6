/**
 * A pool: values of one kind, each of which is given to one object at a time. The store has a record of each value that is given
 * out, `/v1/pools/<pool>/<value>`, and a cursor, `/v1/pools/<pool>`, behind which the search for the next value begins.
 *
 * The one host0 that leads decides in memory, at once: two searches never find the same value. The record is written in one
 * transaction with the object that uses the value (`takeAndGive`), so that a crash leaves either both or none. The transaction also
 * demands that the record was absent; a condition of every write, such as "this host0 still leads", is the store's to add. Transactions
 * are carried out in the order in which they are asked for, so the cursor never goes back.
 */
import * as form from '../../protocol/shapes/form.ts';
import { Collection, jsonRecords, type RecordForm } from '../../store/collection.ts';
import type { Change, Compare, Store, TxnResult } from '../../store/store.ts';

/** One value that is taken or given back, as part of a transaction. */
export interface PoolMove {
  readonly compare: readonly Compare[];
  readonly changes: readonly Change[];
  /** The change of the pool's cursor. Of several in one transaction, the last one counts. */
  readonly cursor?: Change;
  /** Called when the transaction is durable. */
  readonly done: () => void;
  /** Called when the transaction changed nothing. */
  readonly undo: () => void;
}

/** Which pool, and how its records are written. */
export interface PoolInput<G> {
  readonly store: Store;
  /** The last part of the cursor's key. */
  readonly name: string;
  /** The form of a record; its prefix is that of the pool (`poolRecords`). */
  readonly form: RecordForm<G>;
  /** Where the search begins in a new pool. */
  readonly first: number;
  /**
   * How far the cursor moves when the store is another one than before, or was restored: what was given out since the backup may
   * live on somewhere.
   */
  readonly leap: number;
}

interface Cursor {
  readonly next: number;
  readonly epoch: string;
}

const POOLS = '/v1/pools/';
const CursorShape: form.Shape<Cursor> = form.object({ next: form.int(0), epoch: form.string({ max: 64 }) });
/** The cursors of all pools. Records of values are below longer keys, and are no cursors. */
const cursorForm = (name: string): RecordForm<Cursor> => jsonRecords(POOLS, () => name, CursorShape, 1_024);

/** The form of a pool's records: JSON documents below the pool's name. */
export function poolRecords<G>(pool: string, nameOf: (grant: G) => string, shape: form.Shape<G>): RecordForm<G> {
  return jsonRecords(`${POOLS}${pool}/`, nameOf, shape, 64 * 1024);
}

/** A value with the object that it was given to. */
export interface Grant {
  readonly value: string;
  /** The object that uses the value, for people: `network 1000`. */
  readonly owner: string;
}

/** The form of a grant. */
export const GrantShape: form.Shape<Grant> = form.object({
  value: form.string({ max: 64 }),
  owner: form.string({ max: 256 }),
});

/** The values of one pool that are given out. */
export class Pool<G> {
  readonly #collection: Collection<G>;
  readonly #cursor: Collection<Cursor>;
  readonly #epoch: string;
  readonly #name: string;
  /** By value. Those of transactions under way are in it, too. */
  readonly #grants: Map<string, G>;
  #next: number;

  /** Whether nothing was ever taken from the pool when it was opened. */
  readonly isNew: boolean;

  private constructor(input: PoolInput<G>, grants: Map<string, G>, next: number, isNew: boolean) {
    this.#collection = new Collection(input.store, input.form);
    this.#cursor = new Collection(input.store, cursorForm(input.name));
    this.#epoch = input.store.epoch;
    this.#name = input.name;
    this.#grants = grants;
    this.#next = next;
    this.isNew = isNew;
  }

  /** Reads what is given out. @throws MESH_STORE_BROKEN */
  static async open<G>(input: PoolInput<G>): Promise<Pool<G>> {
    const collection = new Collection(input.store, input.form);
    const { records } = await collection.list();
    const grants = new Map(records.map(({ record }) => [collection.nameOf(record), record]));
    const cursor = (await new Collection(input.store, cursorForm(input.name)).get(input.name))?.record;
    if (cursor === undefined) return new Pool(input, grants, input.first, grants.size === 0);
    const leap = cursor.epoch === input.store.epoch ? 0 : input.leap;
    return new Pool(input, grants, cursor.next + leap, false);
  }

  /** Where the next search begins. */
  get next(): number {
    return this.#next;
  }

  /** What is given out, in the order of giving. */
  get grants(): readonly G[] {
    return [...this.#grants.values()];
  }

  /** What was given for a value; undefined if the value is free. */
  of(value: string): G | undefined {
    return this.#grants.get(value);
  }

  /**
   * Takes a value out of the pool at once. It is free again when the transaction changes nothing.
   * @param next where the search for the following value begins; absent: where this one began
   */
  take(grant: G, next: number = this.#next): PoolMove {
    const value = this.#collection.nameOf(grant);
    const before = this.#next;
    this.#grants.set(value, grant);
    this.#next = next;
    return {
      compare: [this.#collection.at(value, 0)],
      changes: [this.#collection.put(grant)],
      cursor: this.#cursor.put({ next, epoch: this.#epoch }),
      done: () => undefined,
      undo: () => {
        this.#grants.delete(value);
        if (this.#next === next) this.#next = before;
      },
    };
  }

  /** Moves the cursor on, past values that were given out and that the store has lost. */
  leap(next: number): PoolMove {
    return {
      compare: [],
      changes: [],
      cursor: this.#cursor.put({ next, epoch: this.#epoch }),
      done: () => {
        this.#next = Math.max(this.#next, next);
      },
      undo: () => undefined,
    };
  }

  /** The change that forgets where the search begins: for a pool that goes. */
  forget(): Change {
    return this.#cursor.remove(this.#name);
  }

  /** Writes another grant for a value that is taken. */
  rewrite(grant: G): PoolMove {
    const value = this.#collection.nameOf(grant);
    return {
      compare: [],
      changes: [this.#collection.put(grant)],
      done: () => void this.#grants.set(value, grant),
      undo: () => undefined,
    };
  }

  /** Takes a value that has a record although nothing uses the value, as `take` does. */
  retake(grant: G, next: number = this.#next): PoolMove {
    const value = this.#collection.nameOf(grant);
    const known = this.#grants.get(value);
    const move = this.take(grant, next);
    return {
      ...move,
      compare: [],
      undo: () => {
        move.undo();
        if (known !== undefined) this.#grants.set(value, known);
      },
    };
  }

  /** Gives a value back. It is free when that is durable. */
  give(value: string): PoolMove {
    return {
      compare: [],
      changes: [this.#collection.remove(value)],
      done: () => void this.#grants.delete(value),
      undo: () => undefined,
    };
  }
}

/** Gives back what moves took, the last first: each leaves the pool as it found it. */
export function undoMoves(moves: readonly PoolMove[]): void {
  for (const move of moves.toReversed()) move.undo();
}

/**
 * Carries out moves of pools in one transaction with the changes of the objects that use the values. One whose answer was lost is
 * looked for in the store: a value that is taken there must not be free here, or one who asks again would get a second value.
 * @returns whether every comparison held, and the store's revision
 * @throws MESH_STORE_BROKEN; the moves are undone then
 */
export async function takeAndGive(
  store: Store,
  moves: readonly PoolMove[],
  compare: readonly Compare[],
  changes: readonly Change[],
): Promise<TxnResult> {
  const written = [...changes, ...moves.flatMap((move) => move.changes)];
  const cursors = new Map(moves.flatMap(({ cursor }) => (cursor && 'put' in cursor ? [[cursor.put, cursor]] : [])));
  try {
    const result = await store.txn(
      [...compare, ...moves.flatMap((move) => move.compare)],
      [...written, ...cursors.values()],
    );
    if (result.succeeded) for (const move of moves) move.done();
    else undoMoves(moves);
    return result;
  } catch (error) {
    const revision = await revisionWith(store, written);
    if (revision === undefined) {
      undoMoves(moves);
      throw error;
    }
    for (const move of moves) move.done();
    return { succeeded: true, revision };
  }
}

/**
 * The revision in which all these changes were made. Cursors are no part of them: later transactions move a cursor on. Removals
 * alone are not looked for, since they can be repeated.
 * @returns undefined if the store does not show the changes, or cannot be read
 */
async function revisionWith(store: Store, changes: readonly Change[]): Promise<number | undefined> {
  if (!changes.some((change) => 'put' in change)) return undefined;
  try {
    const revisions = new Set<number>();
    for (const change of changes) {
      const entry = await store.get('put' in change ? change.put : change.delete);
      if (entry?.value !== ('put' in change ? change.value : undefined)) return undefined;
      if (entry !== undefined) revisions.add(entry.modRevision);
    }
    const [revision, other] = revisions;
    return other === undefined ? revision : undefined;
  } catch {
    return undefined;
  }
}
