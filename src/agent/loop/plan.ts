/**
 * The plan: the steps from the observed items to the desired ones. Pure, and without knowledge of any item kind. A
 * second plan right after a successful apply is empty.
 */
import { type Item, type ItemMap, itemKey, kindOf } from '../items/item.ts';
import type { ItemKey } from '../items/item-kind.ts';
import type { Rank } from '../items/rank.ts';

/** One action on one item. `item` is the desired item, or in a delete the observed one; `have` is the observed item. */
export type Step =
  | { readonly action: 'create'; readonly key: ItemKey; readonly item: Item }
  | { readonly action: 'change' | 'recreate'; readonly key: ItemKey; readonly have: Item; readonly item: Item }
  | { readonly action: 'delete'; readonly key: ItemKey; readonly item: Item };

interface PlanOptions {
  /** Whether an observed item that is not desired may be removed: not before the desired state is complete. */
  readonly mayDelete: (item: Item) => boolean;
}

/**
 * Compares two maps of items.
 * @returns the steps in their order: removals by falling rank, then the others by rising rank
 */
export function plan(observed: ItemMap, desired: ItemMap, options: PlanOptions): Step[] {
  const removals: Step[] = [];
  const lost = new Set<ItemKey>();
  for (const [key, item] of observed) {
    const want = desired.get(key);
    if (want === undefined) {
      if (!options.mayDelete(item)) continue;
      removals.push({ action: 'delete', key, item });
      lost.add(key);
    } else if (item !== want && kindOf(item).mustRecreate(item, want)) {
      lost.add(key);
    }
  }

  const additions: Step[] = [];
  for (const [key, item] of desired) {
    const have = observed.get(key);
    if (have === undefined || dependsOnAny(item, lost)) additions.push({ action: 'create', key, item });
    else if (lost.has(key)) additions.push({ action: 'recreate', key, have, item });
    else if (have !== item && kindOf(item).differences(have, item).length > 0)
      additions.push({ action: 'change', key, have, item });
  }

  return [
    // An item that goes with the link it depends on needs no step.
    ...removals.filter(({ item }) => !dependsOnAny(item, lost)).sort((a, b) => rankOf(b) - rankOf(a)),
    ...additions.sort((a, b) => rankOf(a) - rankOf(b)),
  ];
}

function dependsOnAny(item: Item, keys: ReadonlySet<ItemKey>): boolean {
  return (
    keys.size > 0 &&
    kindOf(item)
      .dependsOn(item)
      .some((key) => keys.has(key))
  );
}

/** The rank of a step, by which the plan orders the steps. */
export function rankOf(step: Step): Rank {
  const kind = kindOf(step.item);
  return (step.action === 'change' ? kind.rankOfChange?.(step.have, step.item) : undefined) ?? kind.rank(step.item);
}

/** A step as one line: the command that an administrator would type, and the differences as a comment. */
export function printStep(step: Step): string {
  const line = kindOf(step.item).print(step.item);
  switch (step.action) {
    case 'create':
      return line;
    case 'delete':
      return kindOf(step.item).printRemove?.(step.item) ?? `remove: ${line}`;
    case 'recreate':
      return `${line} # recreated: ${stepDifferences(step).join(', ')}`;
    case 'change':
      return `${kindOf(step.item).printChange?.(step.have, step.item) ?? line} # ${stepDifferences(step).join(', ')}`;
  }
}

/** What a change or recreate step changes: `mtu 1400 → 1380`. Empty for other steps. */
export function stepDifferences(step: Step): readonly string[] {
  return 'have' in step ? kindOf(step.item).differences(step.have, step.item) : [];
}

/** The number of items in which the two maps differ: with a fresh dump, the changes that the cache has missed. */
export function disagreement(cache: ItemMap, dump: ItemMap): number {
  let count = 0;
  for (const [key, item] of dump) {
    const cached = cache.get(key);
    if (cached === undefined || kindOf(item).differences(cached, item).length > 0) count++;
  }
  for (const item of cache.values()) if (!dump.has(itemKey(item))) count++;
  return count;
}
