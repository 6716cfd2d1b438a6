/** Drift: how the kernel differs from what is desired, by a fresh dump. Only reads. */
import type { Mac } from '../../model/address/mac.ts';
import { type Item, type ItemMap, itemKey } from '../items/item.ts';
import type { ItemKey } from '../items/item-kind.ts';
import type { KernelCache } from '../kernel/kernel-cache.ts';
import type { KernelPort } from '../kernel/kernel-port.ts';
import { observedItems } from '../kernel/observed.ts';
import type { KernelCopy } from './kernel-copy.ts';
import type { LocalPort } from './local-port.ts';
import { disagreement, plan, type Step } from './plan.ts';
import type { RulesetRecord } from './ruleset-record.ts';

/** The steps that a pass would do now, and the fresh dump that they were derived from. */
export interface Drift {
  readonly steps: readonly Step[];
  readonly kernel: KernelCache;
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
  readonly recorded: (cache: KernelCache) => readonly Item[];
  /** The processes and files. Absent: the agent has none. */
  readonly local?: LocalPort;
}

/** Adds to `observed` the items that the cache cannot give: recorded items, processes and files, rulesets and plain settings. */
export async function observeApart(
  { kernel, rulesets, recorded, local }: Apart,
  cache: KernelCache,
  observed: Map<ItemKey, Item>,
  desired: ItemMap,
): Promise<void> {
  for (const item of recorded(cache)) observed.set(itemKey(item), item);
  for (const item of (await local?.observe(desired)) ?? []) observed.set(itemKey(item), item);
  for (const item of await rulesets.observe()) observed.set(itemKey(item), item);
  for (const item of desired.values()) {
    if (item.kind !== 'sysctl') continue;
    const value = await kernel.readSysctl(item.path);
    if (value !== undefined) observed.set(itemKey(item), { ...item, value });
  }
}

interface DriftInput extends Apart {
  readonly copy: KernelCopy;
  readonly desired: ItemMap;
  /** Whether an item was desired and is not any more. */
  readonly isDisowned: (key: ItemKey) => boolean;
  readonly mayDelete: (item: Item) => boolean;
}

/**
 * Plans against a fresh dump, and does nothing.
 * @param also Ethernet addresses whose learnt FDB entries the dump has, too
 */
export async function driftOf(input: DriftInput, also: ReadonlySet<Mac>): Promise<Drift> {
  const { copy, desired, rulesets, isDisowned, mayDelete } = input;
  const before = observedItems(copy.cache, desired);
  const kernel = await copy.fresh(also);
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
