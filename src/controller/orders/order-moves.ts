/** How an order goes on: which move is next, and what each leaves. Pure: the store and the hooks are elsewhere. */
import type { ErrorDocument } from '../../model/error.ts';
import type { HookAnswer, HookReport } from '../../protocol/documents/order/hook.ts';
import type { Order, OrderStep, OrderWish, StepKind, StepMade } from '../../protocol/documents/order/order.ts';
import type { HookFault } from '../../protocol/documents/order/owner.ts';
import { ORDER_HOOKS_MAX } from '../../protocol/shapes/order/order-shapes.ts';
import { answersFull } from './order-refusals.ts';

/** What is done next with an order. `step` is an index. */
export type OrderMove =
  /** Notes that the step begins, or that its undoing begins. */
  | { readonly kind: 'begin' | 'turn'; readonly step: number }
  /** Runs the hooks that may refuse the step, the step itself, the hooks that follow it, or its undoing. */
  | { readonly kind: 'ask' | 'do' | 'tell' | 'undo'; readonly step: number }
  /** Runs the hooks that undo for a step that was never begun: hooks alone have done something for it. */
  | { readonly kind: 'retract'; readonly step: number }
  /** Notes that the order is to be undone, since an administrator has asked for it. */
  | { readonly kind: 'cancel' }
  /** Notes that the order is at its end. */
  | { readonly kind: 'end'; readonly state: 'done' | 'undone' };

/** The steps of each kind of order, in their order. */
const STEPS: Readonly<Record<OrderWish['kind'], readonly StepKind[]>> = {
  network: ['network'],
  'ipv6-network': ['network', 'prefix', 'advertisement'],
  'ipv4-address': ['address'],
  vm: ['workload'],
};

/** The steps of a new order. */
export function stepsOf({ kind }: OrderWish): readonly OrderStep[] {
  return STEPS[kind].map((step) => ({ kind: step, state: 'waiting', made: {} }));
}

/** The next move; undefined where nothing more happens by itself. */
export function nextMove(order: Order): OrderMove | undefined {
  switch (order.state) {
    case 'running':
      return order.cancelled ? { kind: 'cancel' } : forward(order.steps);
    case 'done':
      return order.cancelled ? { kind: 'cancel' } : undefined;
    case 'undoing':
      return backward(order.steps);
    case 'undone':
      return undefined;
  }
}

function forward(steps: readonly OrderStep[]): OrderMove {
  const step = steps.findIndex(({ state }) => state !== 'done');
  switch (steps[step]?.state) {
    case undefined:
      return { kind: 'end', state: 'done' };
    case 'waiting':
      return { kind: 'begin', step };
    case 'asking':
      return { kind: 'ask', step };
    case 'doing':
      return { kind: 'do', step };
    default:
      return { kind: 'tell', step };
  }
}

function backward(steps: readonly OrderStep[]): OrderMove {
  const step = steps.findLastIndex(({ state }) => state !== 'waiting' && state !== 'undone');
  const state = steps[step]?.state;
  switch (state) {
    case undefined:
      return { kind: 'end', state: 'undone' };
    case 'asking':
      // The step has made nothing yet: what looks like it belongs to another.
      return { kind: 'retract', step };
    case 'undoing':
      return { kind: 'undo', step };
    default:
      return { kind: 'turn', step };
  }
}

/** The order with one step in another state. */
export function withStep(order: Order, step: number, state: OrderStep['state'], made?: StepMade): Order {
  return {
    ...order,
    steps: order.steps.map((old, index) => (index === step ? { ...old, state, ...(made && { made }) } : old)),
  };
}

/** The order on its way back. The first error is the reason: later ones happen while it is undone. */
export function turned(order: Order, error: ErrorDocument): Order {
  return { ...order, state: 'undoing', error: order.error ?? error };
}

/** Much for what hooks have to say of one order, and little enough that a store takes the order (etcd: 1.5 MiB in a transaction). */
const ANSWERS_MAX_BYTES = 256 * 1024;

/** The order with what hooks have left. An answer for which there is no room is a fault of its hook. */
export function withReports<T extends Pick<Order, 'hooks' | 'faults'>>(record: T, reports: readonly HookReport[]): T {
  if (reports.length === 0) return record;
  const answers = new Map(Object.entries(record.hooks));
  const names = new Set(reports.map(({ hook }) => hook));
  const faults = reports.flatMap(({ hook, error }): HookFault[] => (error === undefined ? [] : [{ hook, error }]));
  for (const { hook, answer } of reports) {
    if (answer === undefined) continue;
    const others = [...answers].filter(([name]) => name !== hook);
    if (bytesOf([...others, [hook, answer]]) > ANSWERS_MAX_BYTES)
      faults.push({ hook, error: answersFull(hook, ANSWERS_MAX_BYTES).toJSON() });
    else answers.set(hook, answer);
  }
  return {
    ...record,
    hooks: Object.fromEntries([...answers].slice(-ORDER_HOOKS_MAX)),
    faults: [...record.faults.filter(({ hook }) => !names.has(hook)), ...faults].slice(-ORDER_HOOKS_MAX),
  };
}

function bytesOf(answers: readonly (readonly [string, HookAnswer])[]): number {
  return answers.reduce((sum, [hook, answer]) => sum + Buffer.byteLength(hook + JSON.stringify(answer)), 0);
}
