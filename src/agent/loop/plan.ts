/**
 * The plan: what has to be done to get from the observed items to the desired ones. Pure and generic: it knows no kind.
 * A second plan right after a successful apply is empty.
 */
import { type Item, type ItemMap, itemKey, kindOf } from '../items/item.ts';
import type { ItemKey } from '../items/item-kind.ts';

export type Step =
  | { readonly action: 'create'; readonly key: ItemKey; readonly item: Item }
  | { readonly action: 'change' | 'recreate'; readonly key: ItemKey; readonly have: Item; readonly item: Item }
  | { readonly action: 'delete'; readonly key: ItemKey; readonly item: Item };

export interface PlanOptions {
  /** Whether an observed item that nobody wants may be removed: not before the first complete view of what is wanted. */
  readonly mayDelete: (item: Item) => boolean;
}

/** Steps in the order in which they must be done: removals from the top down, then what is to be there from the ground up. */
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
    // What goes with its link needs no step of its own.
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

/** When a step's pass comes. */
export function rankOf(step: Step): number {
  const kind = kindOf(step.item);
  return (step.action === 'change' ? kind.rankOfChange?.(step.have, step.item) : undefined) ?? kind.rank(step.item);
}

/** One line that an administrator knows. */
export function printStep(step: Step): string {
  const line = kindOf(step.item).print(step.item);
  switch (step.action) {
    case 'create':
      return line;
    case 'delete':
      return kindOf(step.item).printRemove?.(step.item) ?? `remove: ${line}`;
    case 'recreate':
      return `${line} # made anew: ${stepDifferences(step).join(', ')}`;
    case 'change':
      return `${kindOf(step.item).printChange?.(step.have, step.item) ?? line} # ${stepDifferences(step).join(', ')}`;
  }
}

export function stepDifferences(step: Step): readonly string[] {
  return 'have' in step ? kindOf(step.item).differences(step.have, step.item) : [];
}

/** How many items the two maps do not agree on: what the cache missed, when one of them is a fresh dump. */
export function disagreement(cache: ItemMap, dump: ItemMap): number {
  let count = 0;
  for (const [key, item] of dump) {
    const cached = cache.get(key);
    if (cached === undefined || kindOf(item).differences(cached, item).length > 0) count++;
  }
  for (const item of cache.values()) if (!dump.has(itemKey(item))) count++;
  return count;
}
