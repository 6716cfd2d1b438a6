/** Routes of host0's control socket: owners and their orders. */
import type { ErrorCode } from '../../../model/error.ts';
import * as form from '../../shapes/form.ts';
import {
  ORDERS_MAX,
  OrderAnswerShape,
  OrderRequestShape,
  OrderViewShape,
  OwnerRequestShape,
  OwnerShape,
} from '../../shapes/order/order-shapes.ts';
import { document, events, list, NOTHING, nameShape, numberInQuery, type RouteTable, SwitchShape } from '../route.ts';

/** The user data of a workload's seed is the most of an order. */
const ORDER_MAX_BYTES = 512 * 1024;
const ORDER_ID_MAX = 2 ** 48;

const named = { name: nameShape(63) };
const numbered = { id: numberInQuery(1, ORDER_ID_MAX) };
const OWNER_ERRORS: readonly ErrorCode[] = ['MESH_OWNER_UNKNOWN', 'MESH_STORE_CONFLICT', 'MESH_STORE_BROKEN'];
const ORDER_ERRORS: readonly ErrorCode[] = [
  ...OWNER_ERRORS,
  'MESH_ORDER_MANY',
  'MESH_ALREADY_MADE',
  'MESH_NET_INVALID',
  'MESH_NET_NAME_TWICE',
  'MESH_NET_NUMBERS_EXHAUSTED',
  'MESH_NET_UNKNOWN',
  'MESH_WORKLOAD_TWICE',
  'MESH_WORKLOAD_NO_ROOM',
];

/** The table. */
export const ORDER_ROUTES = {
  'GET /v1/owners': {
    summary: 'Lists the owners.',
    answer: list(OwnerShape, ORDERS_MAX),
  },
  'POST /v1/owners': {
    summary: 'Makes an owner. The hooks of `owner-created` run afterwards.',
    body: OwnerRequestShape,
    answer: document(OwnerShape),
    errors: ['MESH_ALREADY_MADE', ...OWNER_ERRORS],
  },
  'GET /v1/owners/{name}': {
    summary: 'Gives one owner.',
    path: named,
    answer: document(OwnerShape),
    errors: ['MESH_OWNER_UNKNOWN'],
  },
  'POST /v1/owners/{name}/announce': {
    summary: 'Runs the hooks of `owner-created` again.',
    path: named,
    answer: document(OwnerShape),
    errors: OWNER_ERRORS,
  },
  'DELETE /v1/owners/{name}': {
    summary: 'Deletes an owner; with `force=1`, its orders are cancelled first. The owner goes when they are undone.',
    path: named,
    query: { force: SwitchShape },
    answer: document(OwnerShape),
    errors: [...OWNER_ERRORS, 'MESH_OWNER_IN_USE'],
  },
  'GET /v1/orders': {
    summary: 'Lists the orders, the oldest first.',
    query: { owner: form.exactOptional(nameShape(63)) },
    answer: list(OrderViewShape, ORDERS_MAX * 2),
  },
  'POST /v1/orders': {
    summary: 'Makes an order. host0 carries it out afterwards: follow it.',
    query: { 'dry-run': SwitchShape },
    body: OrderRequestShape,
    bodyMaxBytes: ORDER_MAX_BYTES,
    answer: document(OrderAnswerShape),
    errors: ORDER_ERRORS,
  },
  'GET /v1/orders/{id}': {
    summary: 'Gives one order.',
    path: numbered,
    answer: document(OrderViewShape),
    errors: ['MESH_ORDER_UNKNOWN'],
  },
  'GET /v1/orders/{id}/follow': {
    summary: 'Streams how an order is: now, and after each change. It ends when the order is done or undone.',
    path: numbered,
    answer: events({ order: OrderViewShape }),
    errors: ['MESH_ORDER_UNKNOWN'],
  },
  'POST /v1/orders/{id}/cancel': {
    summary: 'Undoes an order, also one that is done: all that it has made is given back.',
    path: numbered,
    answer: document(OrderViewShape),
    errors: ['MESH_ORDER_UNKNOWN', 'MESH_STORE_CONFLICT', 'MESH_STORE_BROKEN'],
  },
  'DELETE /v1/orders/{id}': {
    summary: 'Forgets an order that was undone.',
    path: numbered,
    answer: NOTHING,
    errors: ['MESH_ORDER_UNKNOWN', 'MESH_ORDER_KEPT'],
  },
} as const satisfies RouteTable;
