/** What host0 tells of address pools and allocations, and what is asked of it. */
import type { AddressPool, PoolKind } from '../../../model/ipam/address-pool.ts';
import type { AddressHolder, Allocation } from '../../../model/ipam/allocation.ts';

/** An address pool, and how much of it is taken. */
export interface AddressPoolView {
  readonly pool: AddressPool;
  /** How many blocks the pool has, and how many of them are in which state. */
  readonly blocks: number;
  /** Given to nobody unless they are named. */
  readonly reserved: number;
  readonly allocated: number;
  readonly resting: number;
  /** Of what the pool can give, so much is allocated or rests. */
  readonly usedPercent: number;
}

/** An allocation. */
export interface AllocationView extends Omit<Allocation, 'value' | 'restsUntilMs'> {
  /** Absent while an outside allocator has not answered. */
  readonly value?: string;
  /** The name of the network that holds the block. */
  readonly network?: string;
  /** How long the block rests from now on. */
  readonly restsSec?: number;
}

/** A wish for a block. */
export interface AllocationOrder {
  /** Whoever asks again with the same id gets the same allocation. */
  readonly id?: string;
  readonly pool?: string;
  readonly kind?: PoolKind;
  readonly value?: string;
  /** The network that gets the block as a subnet, by its name or number. */
  readonly network?: string;
  /** Who gets the block, if no network does; the operator if absent. */
  readonly holder?: AddressHolder;
}
