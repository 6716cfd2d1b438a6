/** Drift: how the kernel differs from what is desired, by a fresh dump. Only reads. */

import type { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import { type Item, type ItemMap, itemKey } from '../items/item.ts';
import type { ItemKey } from '../items/item-kind.ts';
import type { KernelPort } from '../kernel/kernel-port.ts';
import { observedItems } from '../kernel/observed.ts';
import { disagreement, plan, type Step } from './plan.ts';
import type { RulesetRecord } from './ruleset-record.ts';
import type { ServicePort } from './service-port.ts';

/** The steps that a pass would do now, and the fresh dump that they were derived from. */
export interface Drift {
  readonly steps: readonly Step[];
  readonly kernel: KernelTables;
  /** Our items in the dump, without rulesets and plain settings. */
  readonly observed: ItemMap;
  /** Number of items in which the cache disagreed with the dump. */
  readonly cacheDifference: number;
}

/** Where the items are observed that no cache of the kernel has. */
export interface Apart {
  readonly kernel: Pick<KernelPort, 'readSysctl'>;
  readonly rulesets: RulesetRecord;
  /** The items in a kernel that are ours by a record of the agent: the kernel keeps no mark on them. */
  readonly recorded: (cache: KernelTables) => readonly Item[];
  /** The processes and files. Absent: the agent has none. */
  readonly services?: ServicePort;
}

/** Adds to `observed` the items that the cache cannot give: recorded items, processes and files, rulesets and plain settings. */
export async function observeApart(
  { kernel, rulesets, recorded, services }: Apart,
  cache: KernelTables,
  observed: Map<ItemKey, Item>,
  desired: ItemMap,
): Promise<void> {
  for (const item of recorded(cache)) observed.set(itemKey(item), item);
  for (const item of (await services?.observe(desired)) ?? []) observed.set(itemKey(item), item);
  for (const item of await rulesets.observe()) observed.set(itemKey(item), item);
  for (const item of desired.values()) {
    if (item.kind !== 'sysctl') continue;
    const value = await kernel.readSysctl(item.path);
    if (value !== undefined) observed.set(itemKey(item), { ...item, value });
  }
}

interface DriftInput extends Apart {
  readonly cache: KernelTables;
  /** Reads a dump beside the cache. */
  readonly fresh: () => Promise<KernelTables>;
  readonly desired: ItemMap;
  /** Whether an item was desired and is not any more. */
  readonly isDisowned: (key: ItemKey) => boolean;
  readonly mayDelete: (item: Item) => boolean;
}

/** Plans against a fresh dump, and does nothing. */
export async function driftOf(input: DriftInput): Promise<Drift> {
  const { cache, fresh, desired, rulesets, isDisowned, mayDelete } = input;
  const before = observedItems(cache, desired);
  const kernel = await fresh();
  rulesets.invalidate();
  const all = observedItems(kernel, desired, (key) => desired.has(key) || isDisowned(key));
  await observeApart(input, kernel, all, desired);
  const observed = observedItems(kernel, desired);
  return {
    steps: plan(all, desired, { mayDelete }),
    kernel,
    observed,
    cacheDifference: disagreement(before, observed),
  };
}
