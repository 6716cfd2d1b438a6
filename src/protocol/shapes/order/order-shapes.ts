/** The forms of owners and orders, in the store and in answers. */
import { DeviceShape, LineShape, NameShape } from '../../../model/network/words.ts';
import { WorkloadShape } from '../../../model/workload/workload.ts';
import {
  ORDER_STATES,
  type Order,
  type OrderAnswer,
  type OrderRequest,
  type OrderStep,
  type OrderView,
  type OrderWish,
  STEP_KINDS,
  STEP_STATES,
} from '../../documents/order/order.ts';
import { type HookFault, OWNER_STATES, type Owner, type OwnerRequest } from '../../documents/order/owner.ts';
import * as form from '../form.ts';
import { ErrorShape, TextShape, TimeShape } from '../parts.ts';

/** More owners, and more orders that are not undone, than a cluster has networks. */
export const ORDERS_MAX = 100_000;
/** An order has a handful of steps. */
const STEPS_MAX = 16;
const MADE_MAX = 16;
/** More hooks than an administrator writes for the steps of one order. */
export const ORDER_HOOKS_MAX = 64;
/** A UUID in lower case. */
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const ORDER_ID_MAX = 2 ** 48;

/** The number of an order. */
export const OrderIdShape: form.Shape<number> = form.int(1, ORDER_ID_MAX);

const HookNameShape = form.string({ max: 256 });
const HookAnswersShape = form.recordOf(HookNameShape, form.looseObject({}), ORDER_HOOKS_MAX);
const HookFaultsShape: form.Shape<HookFault[]> = form.listOf(
  form.object({ hook: HookNameShape, error: ErrorShape }),
  ORDER_HOOKS_MAX,
);

const OWNER_FIELDS = {
  format: form.literal(1),
  name: NameShape,
  description: form.exactOptional(LineShape),
  state: form.oneOf(OWNER_STATES),
  since: TimeShape,
  hooks: HookAnswersShape,
  faults: HookFaultsShape,
} as const;

/** An owner. */
export const OwnerShape: form.Shape<Owner> = form.object(OWNER_FIELDS);
/** What is asked for when an owner is made. */
export const OwnerRequestShape: form.Shape<OwnerRequest> = form.object({
  name: NameShape,
  description: form.exactOptional(LineShape),
});

const NETWORK_FIELDS = {
  name: NameShape,
  peers: form.exactOptional(form.oneOf(['assigned', 'multicast'])),
  dev: form.exactOptional(DeviceShape),
} as const;

/** What is ordered. */
const WishShape: form.Shape<OrderWish> = form.variants('kind', [
  form.object({ kind: form.literal('network'), ...NETWORK_FIELDS }),
  form.object({ kind: form.literal('ipv6-network'), ...NETWORK_FIELDS, pool: form.exactOptional(NameShape) }),
  form.object({
    kind: form.literal('vm'),
    workload: WorkloadShape,
    node: form.exactOptional(form.string({ max: 64 })),
  }),
]);

const StepShape: form.Shape<OrderStep> = form.object({
  kind: form.oneOf(STEP_KINDS),
  state: form.oneOf(STEP_STATES),
  made: form.recordOf(form.string({ pattern: /^[a-z0-9]{1,32}$/ }), form.string({ max: 256 }), MADE_MAX),
});

const ORDER_FIELDS = {
  format: form.literal(1),
  id: OrderIdShape,
  owner: form.exactOptional(NameShape),
  wish: WishShape,
  once: form.exactOptional(LineShape),
  mark: form.string({ pattern: UUID }),
  state: form.oneOf(ORDER_STATES),
  steps: form.listOf(StepShape, STEPS_MAX),
  since: TimeShape,
  until: form.exactOptional(TimeShape),
  cancelled: form.exactOptional(form.literal(true)),
  error: form.exactOptional(ErrorShape),
  hooks: HookAnswersShape,
  faults: HookFaultsShape,
} as const;

/** An order in the store. */
export const OrderShape: form.Shape<Order> = form.object(ORDER_FIELDS);
/** An order in an answer. */
export const OrderViewShape: form.Shape<OrderView> = form.object({
  ...ORDER_FIELDS,
  waits: form.exactOptional(form.object({ step: form.int(0), why: TextShape, ageSec: form.int(0) })),
});
/** What is asked for when an order is made. */
export const OrderRequestShape: form.Shape<OrderRequest> = form.object({
  owner: form.exactOptional(NameShape),
  once: form.exactOptional(LineShape),
  wish: WishShape,
});
/** What became of the request. */
export const OrderAnswerShape: form.Shape<OrderAnswer> = form.object({
  order: form.exactOptional(OrderViewShape),
  steps: form.listOf(TextShape, STEPS_MAX),
  dryRun: form.boolean(),
  earlier: form.boolean(),
});
