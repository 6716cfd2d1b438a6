/** One address pool with all that is given from it. */
import type { AddressPool } from '../../model/ipam/address-pool.ts';
import { type Allocation, AllocationShape } from '../../model/ipam/allocation.ts';
import type { Change, Store } from '../../store/store.ts';
import { Pool, type PoolMove, poolRecords } from '../pools/pool.ts';
import { blockUsed } from './ipam-error.ts';
import { poolWord } from './ipam-records.ts';
import { type BlockRange, PoolBlocks } from './pool-blocks.ts';

/** More blocks than are given between two backups. */
const LEAP = 0x100;

/** How many blocks of a pool are in which state. The rest is free. */
export interface PoolCounts {
  readonly blocks: number;
  /** Given to nobody unless they are named; those that are given count as allocated, too. */
  readonly reserved: number;
  readonly allocated: number;
  readonly resting: number;
}

/** Gives blocks, and knows who has them. */
export class PoolGrants {
  readonly definition: AddressPool;
  readonly blocks: PoolBlocks;
  readonly #pool: Pool<Allocation>;
  readonly #reserved: readonly BlockRange[];
  /** Blocks whose records are being removed. */
  readonly #leaving = new Set<string>();

  private constructor(definition: AddressPool, pool: Pool<Allocation>) {
    this.definition = definition;
    this.blocks = new PoolBlocks(definition);
    this.#pool = pool;
    this.#reserved = this.blocks.rangesIn(definition.reserved);
  }

  /** Reads what is given. @throws MESH_STORE_BROKEN */
  static async open(store: Store, definition: AddressPool): Promise<PoolGrants> {
    const name = poolWord(definition.name);
    const form = poolRecords<Allocation>(name, ({ value }) => value, AllocationShape);
    return new PoolGrants(definition, await Pool.open({ store, name, form, first: 0, leap: LEAP }));
  }

  /** Everything that is given or rests, in the order of giving. */
  get allocations(): readonly Allocation[] {
    return this.#pool.grants;
  }

  of(value: string): Allocation | undefined {
    return this.#pool.of(value);
  }

  /**
   * The next free block. One that was released is the last to be given again.
   * @param used subnets that networks have without an allocation
   * @returns undefined if there is none
   */
  next(used: readonly string[]): number | undefined {
    // Most networks have their subnets from here: only the others are looked at.
    const others = used.filter((value) => this.of(value) === undefined);
    const inUse = this.blocks.rangesIn([...this.definition.reserved, ...others]);
    return this.blocks.free(this.#pool.next, inUse, (value) => this.of(value) !== undefined);
  }

  /** @throws MESH_IPAM_TAKEN if a network has addresses of the block without an allocation */
  mustBeUnused(value: string, used: readonly string[]): void {
    const index = this.blocks.indexOf(value);
    if (this.blocks.rangesIn(used).some(({ first, last }) => first <= index && index <= last)) throw blockUsed(value);
  }

  /** Takes a block that is free. @param index of the block, if the search for the next block begins behind it */
  take(allocation: Allocation, index?: number): PoolMove {
    return index === undefined
      ? this.#pool.take(allocation)
      : this.#pool.take(allocation, (index + 1) % this.blocks.count);
  }

  /** Writes another allocation for a block that is taken. */
  rewrite(allocation: Allocation): PoolMove {
    return this.#pool.rewrite(allocation);
  }

  /** Takes a block that is reserved or rests, at once: nobody makes the block free meanwhile. */
  retake(allocation: Allocation): PoolMove {
    return this.#pool.retake(allocation);
  }

  /** Moves on, past blocks that the store may have given out and lost. */
  leap(): PoolMove {
    return this.#pool.leap(this.#pool.next + LEAP);
  }

  /** The change that forgets where the search begins: for a pool that is deleted. */
  forget(): Change {
    return this.#pool.forget();
  }

  /** Makes a block free. */
  give(value: string): PoolMove {
    const move = this.#pool.give(value);
    this.#leaving.add(value);
    const done = () => {
      move.done();
      this.#leaving.delete(value);
    };
    const undo = () => {
      move.undo();
      this.#leaving.delete(value);
    };
    return { ...move, done, undo };
  }

  /** Whether a block is being made free: nobody takes it back from then on. */
  isLeaving(value: string): boolean {
    return this.#leaving.has(value);
  }

  counts(): PoolCounts {
    const { allocations } = this;
    const resting = allocations.filter(({ state }) => state === 'resting').length;
    return {
      blocks: this.blocks.count,
      reserved: this.#reserved.reduce((sum, { first, last }) => sum + last - first + 1, 0),
      allocated: allocations.length - resting,
      resting,
    };
  }
}

/** How much of what a pool can give is taken, in percent. What is reserved does not count, unless it is given. */
export function usedPercent({ blocks, reserved, allocated, resting }: PoolCounts): number {
  const usable = blocks - reserved;
  if (usable <= 0) return 100;
  return Math.min(100, ((allocated + resting) / usable) * 100);
}
