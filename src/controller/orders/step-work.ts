/** What a step of an order does. A step may be done again after a crash: it then finds what it has made, and makes nothing twice. */
import type { Order, StepMade } from '../../protocol/documents/order/order.ts';

/** How an attempt at a step ended: what it has made, or what it waits for, as the end of a sentence. */
export type WorkOutcome = { readonly made: StepMade } | { readonly waits: string };

/** The work of one kind of step. All methods may be called again and again with the same order. */
export interface StepWork {
  /** What the step does, as a sentence without a full stop: `make network blue`. */
  words(order: Pick<Order, 'wish' | 'owner'>): string;
  /** Refuses an order that cannot be carried out as things are now. Changes nothing. @throws MeshError */
  check(order: Pick<Order, 'wish' | 'owner'>): Promise<void>;
  /** @throws a MeshError: the order is undone, unless the error is `retryable` */
  do(order: Order, signal: AbortSignal): Promise<WorkOutcome>;
  /** Gives back what `do` has made, or has made in part. @returns what the step waits for; undefined when nothing is left */
  undo(order: Order, made: StepMade): Promise<string | undefined>;
}
