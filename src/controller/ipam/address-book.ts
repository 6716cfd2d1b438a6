/**
 * The address book: who has which block of which address pool. Networks, virtual machines, orders and operators take blocks and give
 * them back; a block that was given back rests before another gets it. Each change is one transaction with the object that uses the
 * block, so that a crash leaves both or none. Only the host0 that leads has a book.
 */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { AddressPool, PoolKind } from '../../model/ipam/address-pool.ts';
import type { AddressHolder, Allocation } from '../../model/ipam/allocation.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import type { Change, Store } from '../../store/store.ts';
import { KeyedMutex } from '../membership/keyed-mutex.ts';
import type { PoolMove } from '../pools/pool.ts';
import { AddressPools } from './address-pools.ts';
import {
  blockTaken,
  idTaken,
  nothingWanted,
  otherKind,
  outsideOfPool,
  poolAsked,
  poolExhaustedOf,
} from './ipam-error.ts';
import type { OutsideRequest } from './ipam-records.ts';
import { type AskAllocator, OutsideRequests } from './outside-requests.ts';
import type { PoolGrants } from './pool-grants.ts';
import { RestWatch } from './rest-watch.ts';

/** What the book is given. */
export interface AddressBookInput {
  readonly store: Store;
  readonly clock: Clock;
  readonly journal: Journal;
  /** Runs outside allocators. */
  readonly ask: AskAllocator;
  /** Makes ids of allocations. Absent: they are random. */
  readonly newId?: () => string;
}

/** What is wanted of the book. */
export interface AddressRequest {
  /** Whoever asks again with one id, after a crash for example, gets the same allocation. Absent: a new id. */
  readonly id?: string;
  /** The pool, or the kind of any pool; with a value, neither is needed. */
  readonly pool?: string;
  readonly kind?: PoolKind;
  /** The wanted block. Absent: the next free one. */
  readonly value?: string;
  readonly holder: AddressHolder;
  /** The block is not used yet: `confirm` follows, or `release`. */
  readonly reserve?: boolean;
}

/** A block with the move that is part of the transaction which makes the allocation durable. */
export interface PlannedAllocation {
  readonly allocation: Allocation;
  readonly move: PoolMove;
}

/** The changes that go into the same transaction. */
type Alongside = (allocation: Allocation) => readonly Change[];

/** 48 random bits: among 10,000 allocations, two equal ones have a chance of one in five millions. A second one is refused. */
const newWord = () => randomBytes(6).toString('hex');
const NOTHING: Alongside = () => [];
const MS_PER_SEC = 1_000;

/** Keeps allocations. */
export class AddressBook {
  /** The pools, with what is given from each. */
  readonly pools: AddressPools;
  readonly #input: AddressBookInput;
  readonly #outside: OutsideRequests;
  readonly #rests: RestWatch;
  readonly #byId = new KeyedMutex<string>();
  #used: () => readonly string[] = () => [];

  private constructor(input: AddressBookInput, pools: AddressPools, outside: OutsideRequests) {
    this.#input = input;
    this.pools = pools;
    this.#outside = outside;
    this.#rests = new RestWatch({ ...input, pools, outside, byId: this.#byId, restsMs: (one) => this.restsMs(one) });
  }

  /** Reads pools and allocations. @throws MESH_STORE_BROKEN */
  static async open(input: AddressBookInput): Promise<AddressBook> {
    return new AddressBook(input, await AddressPools.open(input.store), await OutsideRequests.open(input));
  }

  /** Says which subnets the networks have. Nothing that a network has without an allocation is given to another. */
  usedBy(used: () => readonly string[]): void {
    this.#used = used;
  }

  /** Requests that outside allocators have not answered. */
  get requests(): readonly OutsideRequest[] {
    return this.#outside.pending;
  }

  /** What is wrong with outside allocators, by pool. */
  get faults(): ReadonlyMap<string, MeshError> {
    return this.#outside.faults;
  }

  /** All allocations, in the order of pools and of giving. */
  list(): readonly Allocation[] {
    return this.pools.allocations;
  }

  /** Makes a pool. @throws MESH_IPAM_POOL_INVALID, MESH_IPAM_POOLS_OVERLAP, MESH_ALREADY_MADE */
  createPool(pool: AddressPool): Promise<AddressPool> {
    return this.pools.create(pool);
  }

  /** Deletes a pool from which nothing is given. @param force forgets what rests @throws MESH_IPAM_POOL_* */
  async deletePool(name: string, force = false): Promise<AddressPool> {
    const asked = this.requests.filter(({ pool }) => pool === name);
    if (asked.length > 0) throw poolAsked(this.pools.get(name).definition);
    return this.pools.delete(name, force);
  }

  /**
   * Allocates a block.
   * @param alongside the changes that go into the same transaction
   * @throws MESH_IPAM_*, MESH_STORE_*
   */
  allocate(request: AddressRequest, alongside: Alongside = NOTHING): Promise<Allocation> {
    const id = request.id ?? this.newId();
    return this.#byId.take(id, async () => {
      const known = this.#known({ ...request, id });
      if (known !== undefined) return known;
      const grants = this.poolFor(request);
      if (grants.definition.allocator !== undefined) return this.#outsideOf(grants, { ...request, id }, alongside);
      const { allocation, move } = this.plan({ ...request, id });
      await this.pools.write([move], alongside(allocation));
      return allocation;
    });
  }

  /**
   * Takes a block of a pool whose blocks host0 chooses, in memory. The move must be carried out or undone.
   * @throws MESH_IPAM_*
   */
  plan(request: AddressRequest): PlannedAllocation {
    const { id = this.newId(), holder, reserve = false } = request;
    const grants = this.poolFor(request);
    const used = this.#used();
    const index = request.value === undefined ? grants.next(used) : grants.blocks.indexOf(request.value);
    if (index === undefined) throw this.#exhausted(grants);
    const value = grants.blocks.at(index);
    const other = grants.of(value);
    if (other !== undefined) throw blockTaken(other, this.restsMs(other));
    // A network may take what it has already.
    if (request.value !== undefined && holder.kind !== 'network') grants.mustBeUnused(value, used);
    const state = reserve ? 'reserved' : 'allocated';
    const allocation: Allocation = { id, pool: grants.definition.name, value, holder, state };
    return { allocation, move: this.pools.take(allocation, request.value === undefined ? index : undefined) };
  }

  /**
   * Plans that a block that is reserved or rests becomes an allocated one. The block counts as allocated at once.
   * @param holder who has it from now on
   * @throws MESH_IPAM_TAKEN while the block is being made free
   */
  confirm(known: Allocation, holder: AddressHolder = known.holder): PlannedAllocation {
    const grants = this.pools.get(known.pool);
    if (grants.isLeaving(known.value)) throw blockTaken(known, this.restsMs(known));
    const { restsUntilMs: _, ...allocation } = known;
    const confirmed: Allocation = { ...allocation, holder, state: 'allocated' };
    return { allocation: confirmed, move: grants.retake(confirmed) };
  }

  /** Plans that a block is given back. */
  rest(allocation: Allocation): PlannedAllocation {
    const grants = this.pools.get(allocation.pool);
    const { restSec, allocator } = grants.definition;
    const restsUntilMs = this.#wallMs + restSec * MS_PER_SEC;
    const rested: Allocation = { ...allocation, state: 'resting', restsUntilMs };
    // An outside allocator must be told, which cannot be a part of the transaction.
    if (restSec === 0 && allocator === undefined) {
      return { allocation: rested, move: this.pools.give(allocation, grants) };
    }
    const move = grants.rewrite(rested);
    const done = () => {
      move.done();
      this.#rests.waitFor(restSec * MS_PER_SEC);
    };
    return { allocation: rested, move: { ...move, done } };
  }

  /**
   * Releases a block, by its id or value. A second release changes nothing.
   * @param alongside the changes that go into the same transaction
   * @throws MESH_IPAM_UNKNOWN, MESH_STORE_*
   */
  async release(wanted: string, alongside: Alongside = NOTHING): Promise<Allocation> {
    const { id } = this.pools.find(wanted);
    return this.#byId.take(id, async () => {
      const allocation = this.pools.find(id);
      if (allocation.state === 'resting') return allocation;
      const rested = this.rest(allocation);
      await this.pools.write([rested.move], alongside(rested.allocation));
      return rested.allocation;
    });
  }

  /** How long a block rests from now on, in ms; 0 for one that does not rest. */
  restsMs({ pool, restsUntilMs }: Allocation): number {
    if (restsUntilMs === undefined) return 0;
    const { restSec } = this.pools.get(pool).definition;
    // A wall clock that was set back must not make the rest longer.
    return Math.max(0, Math.min(restsUntilMs - this.#wallMs, restSec * MS_PER_SEC));
  }

  /** The pool that a request is for. @throws MESH_IPAM_POOL_UNKNOWN, MESH_IPAM_OUTSIDE, MESH_USAGE */
  poolFor({ pool, kind, value }: Pick<AddressRequest, 'pool' | 'kind' | 'value'>): PoolGrants {
    if (pool !== undefined) {
      const grants = this.pools.get(pool);
      if (kind !== undefined && grants.definition.kind !== kind) throw otherKind(grants.definition, kind);
      return grants;
    }
    if (value !== undefined) {
      const found = this.pools.having(value);
      if (found !== undefined) return found;
      throw outsideOfPool(value, this.pools.definitions);
    }
    if (kind === undefined) throw nothingWanted();
    return this.pools.ofKind(kind, this.#used());
  }

  /** An id for an allocation. */
  newId(): string {
    return (this.#input.newId ?? newWord)();
  }

  /** Whether somebody waits for the answer to a request. */
  isAwaited(id: string): boolean {
    return this.#outside.isAwaited(id);
  }

  /** Resolves when all work in the background that is due has been tried. */
  look(): Promise<void> {
    return this.#rests.look();
  }

  close(): Promise<void> {
    return this.#rests.close();
  }

  get #wallMs(): number {
    return this.#input.clock.wallTime().getTime();
  }

  /** The allocation of an earlier call with the same id. @throws MESH_IPAM_TAKEN */
  #known({ id, pool, value, holder }: AddressRequest & { readonly id: string }): Allocation | undefined {
    if (!this.pools.has(id)) return undefined;
    const known = this.pools.find(id);
    const isSame =
      known.state !== 'resting' &&
      (pool ?? known.pool) === known.pool &&
      (value ?? known.value) === known.value &&
      known.holder.kind === holder.kind &&
      known.holder.id === holder.id;
    if (isSame) return known;
    throw idTaken(known);
  }

  async #outsideOf(
    grants: PoolGrants,
    { id, holder, value: wanted, reserve = false }: AddressRequest & { readonly id: string },
    alongside: Alongside,
  ): Promise<Allocation> {
    const { definition: pool } = grants;
    if (wanted !== undefined) grants.blocks.indexOf(wanted);
    const request = { id, holder, ...(wanted !== undefined && { value: wanted }) };
    const state = reserve ? 'reserved' : 'allocated';
    try {
      return await this.#outside.during(id, async () => {
        const value = await this.#outside.value(pool, request);
        this.#mustFit(grants, value, wanted);
        const allocation: Allocation = { id, pool: pool.name, value, holder, state };
        const move = this.pools.take(allocation);
        await this.pools.write([move], [this.#outside.end(id), ...alongside(allocation)]);
        this.#outside.ended(id);
        return allocation;
      });
    } catch (error) {
      this.#input.journal.failure('addresses not allocated', error, { object: pool.name });
      this.#rests.wait();
      throw error;
    }
  }

  /** @throws MESH_IPAM_ALLOCATOR_WRONG */
  #mustFit(grants: PoolGrants, value: string, wanted: string | undefined): void {
    const { definition: pool } = grants;
    const wrong = (text: string) => this.#outside.wrong(pool, `chose ${value}, ${text}`);
    try {
      grants.blocks.indexOf(value);
      if (wanted === undefined) grants.mustBeUnused(value, this.#used());
    } catch (thrown) {
      throw wrong(`which cannot be given: ${MeshError.from(thrown).message}`);
    }
    const other = grants.of(value);
    if (other !== undefined) throw wrong(`which is that of the allocation ${other.id}`);
    if (wanted !== undefined && value !== wanted) throw wrong(`and was asked for ${wanted}`);
  }

  #exhausted({ definition, allocations }: PoolGrants): MeshError {
    const resting = allocations.filter(({ state }) => state === 'resting');
    const next = resting.reduce((least, one) => Math.min(least, this.restsMs(one)), Number.POSITIVE_INFINITY);
    return poolExhaustedOf(definition, resting.length, resting.length === 0 ? undefined : next);
  }
}
