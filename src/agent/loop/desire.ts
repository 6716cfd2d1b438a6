/** What the reconcile loop is given. */

import type { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import type { Clock } from '../../model/clock.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import type { Item, ItemMap } from '../items/item.ts';
import type { KernelPort } from '../kernel/kernel-port.ts';
import type { Changed } from './delta.ts';
import type { ServicePort } from './service-port.ts';

/** The desired state for one pass. */
export interface Desire {
  readonly items: ItemMap;
  /** The items that have changed since the last pass; absent when the caller does not record changes. */
  readonly changed?: Changed;
  /** Whether an observed, undesired item may go. @param wasWanted whether this agent has desired the item before */
  readonly mayDelete: (item: Item, wasWanted: boolean) => boolean;
  /** The items in a kernel that are ours by a record of the agent: the kernel keeps no mark on them. */
  readonly recorded: (cache: KernelTables) => readonly Item[];
}

/** What the loop needs from its agent. */
export interface ReconcilerInput {
  readonly kernel: KernelPort;
  /** Processes and files of the machine. Absent: the agent has none. */
  readonly services?: ServicePort;
  readonly clock: Clock;
  readonly journal: Journal;
  /** Called once in each pass. */
  readonly desire: (cache: KernelTables) => Desire;
  /** Called when the failure of a step has become lasting (see `Backoff`). */
  readonly onLastingFailure: () => void;
}
