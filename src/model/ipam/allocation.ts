/** Allocations: who has which block of which address pool. */
import * as form from '../form.ts';
import { NameShape } from '../network/words.ts';

/** What can hold a block. */
export const HOLDER_KINDS = ['network', 'workload', 'order', 'operator'] as const;

/** The object that holds a block. */
export interface AddressHolder {
  readonly kind: (typeof HOLDER_KINDS)[number];
  /** The identifier of a network, the name of a workload, the id of an order; of an operator, a word of theirs. */
  readonly id: string;
}

/** How an allocation is. */
export const ALLOCATION_STATES = [
  /** Nobody else gets the block, and nobody uses it yet. */
  'reserved',
  'allocated',
  /** Released: the block is given again when it has rested. */
  'resting',
] as const;

/** A block of a pool, with its holder. */
export interface Allocation {
  /** Given by whoever asks for the block, or by host0. An outside allocator knows the allocation by this id. */
  readonly id: string;
  readonly pool: string;
  /** A subnet, or a single address: `fd42::/64`, `10.20.0.0/24`, `203.0.113.5`. */
  readonly value: string;
  readonly holder: AddressHolder;
  readonly state: (typeof ALLOCATION_STATES)[number];
  /** When the block may be given again, in ms since 1970. Wall time, because the rest goes on over restarts. */
  readonly restsUntilMs?: number;
}

/** The form of the id of an allocation. */
export const AllocationIdShape: form.Shape<string> = NameShape;

/** The form of a holder. */
export const AddressHolderShape: form.Shape<AddressHolder> = form.object({
  kind: form.oneOf(HOLDER_KINDS),
  id: NameShape,
});

/** The form of a subnet or an address of a pool. */
export const BlockShape: form.Shape<string> = form.string({ pattern: /^[0-9a-f.:]{2,45}(\/\d{1,3})?$/ });

/** The form of an allocation in documents. */
export const AllocationShape: form.Shape<Allocation> = form.object({
  id: AllocationIdShape,
  pool: NameShape,
  value: BlockShape,
  holder: AddressHolderShape,
  state: form.oneOf(ALLOCATION_STATES),
  restsUntilMs: form.exactOptional(form.int(0)),
});
