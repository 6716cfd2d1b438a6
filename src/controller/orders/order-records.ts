/** Orders and owners in the store, under `/v1/orders/<id>` and `/v1/owners/<name>`. */
import type { Order } from '../../protocol/documents/order/order.ts';
import type { Owner } from '../../protocol/documents/order/owner.ts';
import { OrderShape, OwnerShape } from '../../protocol/shapes/order/order-shapes.ts';
import { jsonRecords, type RecordForm } from '../../store/collection.ts';

/** An order of a workload has the user data of its seed, and the answers of hooks have at most 64 KiB each. */
const ORDER_MAX_LENGTH = 4 * 1024 * 1024;
const OWNER_MAX_LENGTH = 4 * 1024 * 1024;

/** Orders in the store. */
export const ORDER_RECORDS: RecordForm<Order> = jsonRecords(
  '/v1/orders/',
  ({ id }) => String(id),
  OrderShape,
  ORDER_MAX_LENGTH,
);

/** Owners in the store. */
export const OWNER_RECORDS: RecordForm<Owner> = jsonRecords(
  '/v1/owners/',
  ({ name }) => name,
  OwnerShape,
  OWNER_MAX_LENGTH,
);
