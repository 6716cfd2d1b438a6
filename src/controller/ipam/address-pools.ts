/** All address pools, and where each allocation is. */
import { MeshError } from '../../model/error.ts';
import type { AddressPool, PoolKind } from '../../model/ipam/address-pool.ts';
import type { Allocation } from '../../model/ipam/allocation.ts';
import { Signal, type Subscribable } from '../../model/signal.ts';
import { Collection } from '../../store/collection.ts';
import { changedByAnother } from '../../store/record-table.ts';
import type { Change, Compare, Store } from '../../store/store.ts';
import { type PoolMove, takeAndGive } from '../pools/pool.ts';
import {
  allocationUnknown,
  noPoolOf,
  poolInUse,
  poolsMany,
  poolsOverlap,
  poolThere,
  poolUnknown,
} from './ipam-error.ts';
import { ADDRESS_POOL_RECORDS, type AddressPoolRecord } from './ipam-records.ts';
import { PoolGrants } from './pool-grants.ts';
import { soundPool } from './sound-pool.ts';

/** The cursors of all pools move on in one transaction when the store has another epoch. */
const POOLS_MAX = 48;
/** host0 writes at most 60 objects in a transaction: etcd takes 128 operations. */
const BATCH = 50;

/** Keeps the pools, by name. */
export class AddressPools {
  readonly #store: Store;
  readonly #collection: Collection<AddressPoolRecord>;
  readonly #grants: Map<string, PoolGrants>;
  readonly #changes = new Signal<void>();
  /** The block of each allocation. */
  readonly #places = new Map<string, Pick<Allocation, 'pool' | 'value'>>();
  /** The keys of pools that cannot be read. */
  readonly spoilt: readonly string[];

  private constructor(store: Store, grants: readonly PoolGrants[], spoilt: readonly string[]) {
    this.#store = store;
    this.#collection = new Collection(store, ADDRESS_POOL_RECORDS);
    this.#grants = new Map(grants.map((one) => [one.definition.name, one]));
    this.spoilt = spoilt.map((name) => this.#collection.keyOf(name));
    for (const { id, pool, value } of this.allocations) this.#places.set(id, { pool, value });
  }

  /** Reads pools and allocations. @throws MESH_STORE_BROKEN */
  static async open(store: Store): Promise<AddressPools> {
    const { records, spoilt } = await new Collection(store, ADDRESS_POOL_RECORDS).list();
    const grants = await Promise.all(records.map(({ record }) => PoolGrants.open(store, record.pool)));
    return new AddressPools(store, grants, spoilt);
  }

  /** Emits when a pool was made. */
  get changes(): Subscribable<void> {
    return this.#changes;
  }

  /** In the order of names. */
  get all(): readonly PoolGrants[] {
    return [...this.#grants.values()].sort((a, b) => (a.definition.name < b.definition.name ? -1 : 1));
  }

  get definitions(): readonly AddressPool[] {
    return this.all.map(({ definition }) => definition);
  }

  /** In the order of pools and of giving. */
  get allocations(): readonly Allocation[] {
    return this.all.flatMap(({ allocations }) => allocations);
  }

  /** The pool of this name. @throws MESH_IPAM_POOL_UNKNOWN */
  get(name: string): PoolGrants {
    const found = this.#grants.get(name);
    if (found !== undefined) return found;
    throw poolUnknown(name, this.definitions);
  }

  /** The pool that has a subnet or an address, wholly or in part. @throws MESH_ADDRESS_INVALID */
  having(value: string): PoolGrants | undefined {
    return this.all.find(({ blocks }) => blocks.touches(value));
  }

  /** The first pool of a kind that has a free block, else the first one. @throws MESH_IPAM_POOL_UNKNOWN */
  ofKind(kind: PoolKind, used: readonly string[]): PoolGrants {
    const ofKind = this.all.filter(({ definition }) => definition.kind === kind);
    const [first] = ofKind;
    if (first === undefined) throw noPoolOf(kind);
    return ofKind.find((grants) => grants.next(used) !== undefined) ?? first;
  }

  /** Whether an allocation has this id. */
  has(id: string): boolean {
    return this.#places.has(id);
  }

  /** The allocation of this id or value. @throws MESH_IPAM_UNKNOWN */
  find(wanted: string): Allocation {
    const place = this.#places.get(wanted);
    const found = place === undefined ? this.#withValue(wanted) : this.#grants.get(place.pool)?.of(place.value);
    if (found !== undefined) return found;
    throw allocationUnknown(wanted);
  }

  /** Makes a pool. @throws MESH_IPAM_POOL_INVALID, MESH_IPAM_POOLS_OVERLAP, MESH_ALREADY_MADE */
  async create(wanted: AddressPool): Promise<AddressPool> {
    const pool = soundPool(wanted);
    this.#mustBeNew(pool);
    const grants = await PoolGrants.open(this.#store, pool);
    this.#mustBeNew(pool);
    // At once, so that no other pool takes the addresses meanwhile.
    this.#grants.set(pool.name, grants);
    try {
      const { name } = pool;
      await this.write([], [this.#collection.put({ format: 1, pool })], [this.#collection.at(name, 0)]);
    } catch (error) {
      this.#grants.delete(pool.name);
      throw error;
    }
    this.#changes.emit();
    return pool;
  }

  /** Deletes a pool from which nothing is given. @param force forgets what rests @throws MESH_IPAM_POOL_* */
  async delete(name: string, force: boolean): Promise<AddressPool> {
    const grants = this.get(name);
    const { definition, allocations } = grants;
    const isHeld = allocations.some(({ state }) => state !== 'resting');
    if (isHeld || (allocations.length > 0 && !force)) throw poolInUse(definition, allocations);
    // At once, so that nothing is given from the pool meanwhile.
    this.#grants.delete(name);
    try {
      await this.free(grants, allocations);
      await this.write([], [this.#collection.remove(name), grants.forget()]);
    } catch (error) {
      this.#grants.set(name, grants);
      throw error;
    }
    return definition;
  }

  /** The move that takes a free block. @param index of the block, if the next search begins behind it */
  take(allocation: Allocation, index?: number): PoolMove {
    const { id, pool, value } = allocation;
    const move = this.get(pool).take(allocation, index);
    this.#places.set(id, { pool, value });
    const undo = () => {
      move.undo();
      this.#places.delete(id);
    };
    return { ...move, undo };
  }

  /** The move that makes the block of an allocation free. */
  give({ id, value }: Allocation, grants: PoolGrants): PoolMove {
    const move = grants.give(value);
    const done = () => {
      move.done();
      this.#places.delete(id);
    };
    return { ...move, done };
  }

  /** Makes blocks free, except those that were taken back or released anew by then. @throws MESH_STORE_* */
  async free(grants: PoolGrants, allocations: readonly Allocation[]): Promise<void> {
    for (let at = 0; at < allocations.length; at += BATCH) {
      const present = allocations
        .slice(at, at + BATCH)
        .filter((allocation) => grants.of(allocation.value) === allocation);
      const moves = present.map((allocation) => this.give(allocation, grants));
      if (moves.length > 0) await this.write(moves, []);
    }
  }

  /** Writes one transaction. @throws MESH_STORE_* */
  async write(moves: readonly PoolMove[], changes: readonly Change[], compare: readonly Compare[] = []): Promise<void> {
    const { succeeded } = await takeAndGive(this.#store, moves, compare, changes);
    if (!succeeded) throw changedByAnother('a record of address management');
  }

  #withValue(value: string): Allocation | undefined {
    return this.all.map((grants) => grants.of(value)).find((allocation) => allocation !== undefined);
  }

  /** @throws MESH_ALREADY_MADE, MESH_IPAM_POOLS_OVERLAP */
  #mustBeNew(pool: AddressPool): void {
    if (this.#grants.has(pool.name)) throw poolThere(pool.name);
    if (this.#grants.size >= POOLS_MAX) throw poolsMany(pool.name, POOLS_MAX);
    const other = this.having(pool.cidr)?.definition;
    if (other !== undefined) throw poolsOverlap(pool, other);
    const spoilt = this.spoilt.includes(this.#collection.keyOf(pool.name));
    if (!spoilt) return;
    throw new MeshError('MESH_STATE_DAMAGED', `the document of the pool ${pool.name} cannot be read`, {
      object: pool.name,
      remedy: 'It is damaged, or of a later version of Meshwork: install that version, or choose another name',
    });
  }
}
