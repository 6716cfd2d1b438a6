/**
 * What the store keeps of address management: pools under `/v1/ipam/pools/<name>`, what is given from each under
 * `/v1/pools/addresses/<pool>/<block>` (controller/pools/pool.ts), and questions to outside allocators that have no answer yet under
 * `/v1/ipam/requests/<id>`.
 */
import { type AddressPool, AddressPoolShape } from '../../model/ipam/address-pool.ts';
import { type AddressHolder, AddressHolderShape, AllocationIdShape, BlockShape } from '../../model/ipam/allocation.ts';
import { NameShape } from '../../model/network/words.ts';
import * as form from '../../protocol/shapes/form.ts';
import { jsonRecords, type RecordForm } from '../../store/collection.ts';

/** A pool in the store. */
export interface AddressPoolRecord {
  /** The version of this document. */
  readonly format: 1;
  readonly pool: AddressPool;
}

/** A block that an outside allocator was asked for. The record goes in the transaction that writes the allocation. */
export interface OutsideRequest {
  readonly format: 1;
  /** The id of the allocation. */
  readonly id: string;
  readonly pool: string;
  readonly holder: AddressHolder;
  /** The block that is wanted; absent: any. */
  readonly value?: string;
}

const RECORD_MAX_LENGTH = 128 * 1024;

/** Pools in the store. */
export const ADDRESS_POOL_RECORDS: RecordForm<AddressPoolRecord> = jsonRecords(
  '/v1/ipam/pools/',
  ({ pool }) => pool.name,
  form.object({ format: form.literal(1), pool: AddressPoolShape }),
  RECORD_MAX_LENGTH,
);

/** Requests in the store. */
export const OUTSIDE_REQUEST_RECORDS: RecordForm<OutsideRequest> = jsonRecords(
  '/v1/ipam/requests/',
  ({ id }) => id,
  form.object({
    format: form.literal(1),
    id: AllocationIdShape,
    pool: NameShape,
    holder: AddressHolderShape,
    value: form.exactOptional(BlockShape),
  }),
  RECORD_MAX_LENGTH,
);

/** What all keys of blocks that are given begin with. */
export const GRANTS_PREFIX = '/v1/pools/addresses/';
/** The pool of `controller/pools` that keeps what an address pool gives. */
export function poolWord(name: string): string {
  return `addresses/${name}`;
}
