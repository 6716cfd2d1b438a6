/** What the reconcile loop is given, and what it gives for `mesh drift`. */
import type { Clock } from '../../model/clock.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import type { Item, ItemMap } from '../items/item.ts';
import type { KernelCache } from '../kernel/kernel-cache.ts';
import type { KernelPort } from '../kernel/kernel-port.ts';
import type { Changed } from './delta.ts';
import type { Step } from './plan.ts';

/** The desired state for one pass. */
export interface Desire {
  readonly items: ItemMap;
  /** The items that have changed since the last pass; absent when the caller does not record changes. */
  readonly changed?: Changed;
  /** Whether an observed, undesired item may go. @param wasWanted whether this agent has desired the item before */
  readonly mayDelete: (item: Item, wasWanted: boolean) => boolean;
  /** The items in a kernel that are ours by a record of the agent: the kernel keeps no mark on them. */
  readonly recorded: (cache: KernelCache) => readonly Item[];
}

/** What the loop needs from its agent. */
export interface ReconcilerInput {
  readonly kernel: KernelPort;
  readonly clock: Clock;
  readonly journal: Journal;
  /** Called once in each pass. */
  readonly desire: (cache: KernelCache) => Desire;
  /** Called when the failure of a step has become lasting (see `Backoff`). */
  readonly onLastingFailure: () => void;
}

/** The steps that a pass would do now, and the fresh dump that they were derived from. */
export interface Drift {
  readonly steps: readonly Step[];
  readonly kernel: KernelCache;
  /** Our items in the dump, without rulesets and plain settings. */
  readonly observed: ItemMap;
  /** Number of items in which the cache disagreed with the dump. */
  readonly cacheDifference: number;
}
