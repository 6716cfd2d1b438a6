/**
 * Orders: what an owner wants, as one object. host0 carries an order out in steps. Each step is done once, also when host0 is killed
 * in the middle. When a step cannot be done, the steps before it are undone in reverse order.
 */
import type { ErrorDocument } from '../../../model/error.ts';
import type { Workload } from '../../../model/workload/workload.ts';
import type { HookFault } from './owner.ts';

/** How a network that is ordered is carried. */
export interface NetworkWish {
  readonly name: string;
  readonly peers?: 'assigned' | 'multicast';
  /** With multicast: the device of every node that is on the same physical network. */
  readonly dev?: string;
}

/** What can be ordered. */
export type OrderWish =
  /** A network of layer 2: addresses are the affair of those who use it. */
  | ({ readonly kind: 'network' } & NetworkWish)
  /** A network with a /64 of an address pool, which the routers announce. Without a pool: of any. */
  | ({ readonly kind: 'ipv6-network'; readonly pool?: string } & NetworkWish)
  /** A virtual machine. */
  | { readonly kind: 'vm'; readonly workload: Workload; readonly node?: string };

/** The kinds of orders. */
export type OrderKind = OrderWish['kind'];

/** `undoing`: the steps that were done are undone, because one could not be done, or because the order was cancelled. */
export const ORDER_STATES = ['running', 'done', 'undoing', 'undone'] as const;

/**
 * `asking`: hooks that may refuse the step run. `doing`: the step is under way, or was when host0 ended. `made`: the step was done, and
 * the hooks after it run.
 */
export const STEP_STATES = ['waiting', 'asking', 'doing', 'made', 'done', 'undoing', 'undone'] as const;

/** The kinds of steps. Each is the name of an event for hooks, too: `order-network`. */
export const STEP_KINDS = ['network', 'prefix', 'advertisement', 'workload'] as const;

/** One of `STEP_KINDS`. */
export type StepKind = (typeof STEP_KINDS)[number];

/** What a step has made, in words that scripts and people know: `network` → `blue`, `number` → `1000`. */
export type StepMade = Readonly<Record<string, string>>;

/** One step of an order. */
export interface OrderStep {
  readonly kind: StepKind;
  readonly state: (typeof STEP_STATES)[number];
  /** Empty until the step was done. */
  readonly made: StepMade;
}

/** An order, as host0 keeps it. */
export interface Order {
  /** The version of this document. */
  readonly format: 1;
  /** Counts from 1. */
  readonly id: number;
  readonly owner?: string;
  readonly wish: OrderWish;
  /** A word of the client: a second order of the owner with this word is the first one. */
  readonly once?: string;
  /** A UUID of the order's own: by it, host0 knows after a crash what this order has made. */
  readonly mark: string;
  readonly state: (typeof ORDER_STATES)[number];
  readonly steps: readonly OrderStep[];
  /** When the order was made, and when it was done or undone: ISO 8601, UTC. */
  readonly since: string;
  readonly until?: string;
  /** An administrator has asked to cancel the order. */
  readonly cancelled?: true;
  /** Why the order is undone. */
  readonly error?: ErrorDocument;
  /** What hooks have answered, by the hook. */
  readonly hooks: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Hooks that failed after a step, or while a step was undone. */
  readonly faults: readonly HookFault[];
}

/** What an order waits for now. */
export interface OrderWait {
  /** The step, by its index. */
  readonly step: number;
  readonly why: string;
  readonly ageSec: number;
}

/** An order as host0 shows it. */
export interface OrderView extends Order {
  readonly waits?: OrderWait;
}

/** What is asked for when an order is made. */
export interface OrderRequest {
  readonly owner?: string;
  readonly once?: string;
  readonly wish: OrderWish;
}

/** What became of the request of an order. */
export interface OrderAnswer {
  /** Absent where the order was only planned. */
  readonly order?: OrderView;
  /** What the steps do, as sentences without a full stop. */
  readonly steps: readonly string[];
  readonly dryRun: boolean;
  /** Whether an earlier order with the same word `once` was answered. */
  readonly earlier: boolean;
}

/** Whether nothing more happens to an order by itself. */
export function isSettled({ state, cancelled }: Order): boolean {
  return state === 'undone' || (state === 'done' && cancelled !== true);
}
