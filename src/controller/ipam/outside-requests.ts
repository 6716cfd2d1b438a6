/**
 * Blocks that an outside allocator chooses: an executable of the administrator, which keeps them in NetBox for example. Nothing is
 * lost, and nothing is given twice, whenever host0 is killed:
 *
 * 1. host0 writes a request with the id of the allocation;
 * 2. the executable is asked. For one id it gives the same block each time, however often it is asked;
 * 3. the allocation is written, and the request goes, in one transaction with what uses the block.
 *
 * A request that nobody waits for any more is taken back: the executable is told that the id is released, which it may hear twice,
 * and for an id that it does not know.
 */
import { MeshError } from '../../model/error.ts';
import type { AddressPool } from '../../model/ipam/address-pool.ts';
import { type AddressHolder, BlockShape } from '../../model/ipam/allocation.ts';
import * as form from '../../protocol/shapes/form.ts';
import { Collection } from '../../store/collection.ts';
import type { Change, Store } from '../../store/store.ts';
import { allocatorFailed, allocatorWrong } from './ipam-error.ts';
import { OUTSIDE_REQUEST_RECORDS, type OutsideRequest } from './ipam-records.ts';

/** What an executable is asked, as it reads it. */
export interface AllocatorQuestion {
  readonly operation: 'allocate' | 'release';
  /** The id of the allocation. */
  readonly id: string;
  readonly pool: Pick<AddressPool, 'name' | 'kind' | 'cidr' | 'length'>;
  readonly holder: AddressHolder;
  /** For `allocate` the block that is wanted, if there is a wish; for `release` the block, if host0 knows it. */
  readonly value?: string;
}

/** Runs an executable by its name. Rejects if it fails. */
export type AskAllocator = (allocator: string, question: AllocatorQuestion) => Promise<unknown>;

const AnswerShape = form.object({ value: BlockShape });

/** What the requests are given. */
export interface OutsideRequestsInput {
  readonly store: Store;
  readonly ask: AskAllocator;
}

/** Asks outside allocators. */
export class OutsideRequests {
  readonly #input: OutsideRequestsInput;
  readonly #collection: Collection<OutsideRequest>;
  readonly #pending: Map<string, OutsideRequest>;
  /** The requests that somebody waits for. */
  readonly #awaited = new Set<string>();
  /** By pool. */
  readonly #faults = new Map<string, MeshError>();

  private constructor(input: OutsideRequestsInput, pending: readonly OutsideRequest[]) {
    this.#input = input;
    this.#collection = new Collection(input.store, OUTSIDE_REQUEST_RECORDS);
    this.#pending = new Map(pending.map((request) => [request.id, request]));
  }

  /** Reads the requests that are not finished. @throws MESH_STORE_BROKEN */
  static async open(input: OutsideRequestsInput): Promise<OutsideRequests> {
    const { records } = await new Collection(input.store, OUTSIDE_REQUEST_RECORDS).list();
    return new OutsideRequests(
      input,
      records.map(({ record }) => record),
    );
  }

  /** The requests that have no allocation yet. */
  get pending(): readonly OutsideRequest[] {
    return [...this.#pending.values()];
  }

  /** What is wrong with allocators now, by pool. */
  get faults(): ReadonlyMap<string, MeshError> {
    return this.#faults;
  }

  /** Whether somebody waits for the answer to a request. */
  isAwaited(id: string): boolean {
    return this.#awaited.has(id);
  }

  /** Marks a request as one that somebody waits for, while `work` runs. */
  async during<T>(id: string, work: () => Promise<T>): Promise<T> {
    this.#awaited.add(id);
    try {
      return await work();
    } finally {
      this.#awaited.delete(id);
    }
  }

  /** Writes the request, unless it is written, and asks. @throws MESH_IPAM_ALLOCATOR_*, MESH_STORE_* */
  async value(pool: AddressPool, request: Omit<OutsideRequest, 'format' | 'pool'>): Promise<string> {
    const record: OutsideRequest = { format: 1, ...request, pool: pool.name };
    if (!this.#pending.has(request.id)) {
      await this.#input.store.txn([], [this.put(record)]);
      this.opened(record);
    }
    const { format: _, pool: __, ...asked } = record;
    const answer = await this.#ask(pool, { operation: 'allocate', ...asked });
    try {
      return AnswerShape.read(answer).value;
    } catch {
      throw this.wrong(
        pool,
        `did not answer {"value": BLOCK}, but ${JSON.stringify(answer) ?? 'nothing'}`.slice(0, 300),
      );
    }
  }

  /** Notes that an answer cannot be used. */
  wrong(pool: AddressPool, fault: string): MeshError {
    const error = allocatorWrong(pool, fault);
    this.#faults.set(pool.name, error);
    return error;
  }

  /** The change that writes a request; `opened` follows when it is durable. */
  put(request: OutsideRequest): Change {
    return this.#collection.put(request);
  }

  opened(request: OutsideRequest): void {
    this.#pending.set(request.id, request);
  }

  /** The change that ends a request; `ended` follows when it is durable. */
  end(id: string): Change {
    return this.#collection.remove(id);
  }

  ended(id: string): void {
    this.#pending.delete(id);
  }

  /** Takes a request back. @throws MESH_IPAM_ALLOCATOR_FAILED, MESH_STORE_*: the request stays then */
  async takeBack({ format: _, pool: __, ...asked }: OutsideRequest, pool: AddressPool): Promise<void> {
    await this.#ask(pool, { operation: 'release', ...asked });
    await this.#input.store.txn([], [this.end(asked.id)]);
    this.ended(asked.id);
  }

  async #ask(pool: AddressPool, question: Omit<AllocatorQuestion, 'pool'>): Promise<unknown> {
    const { name, kind, cidr, length, allocator = '' } = pool;
    try {
      const answer = await this.#input.ask(allocator, { ...question, pool: { name, kind, cidr, length } });
      this.#faults.delete(name);
      return answer;
    } catch (thrown) {
      const error = allocatorFailed(pool, MeshError.from(thrown));
      this.#faults.set(name, error);
      throw error;
    }
  }
}
