/**
 * Where desired and observed state may differ (after Calico's DeltaTracker). An entry is open from the moment in which it
 * changes on either side until the two are found equal; a step that failed, or may not be done yet, leaves it open. So a
 * pass compares what is open and not a thousand members' entries. When links, addresses or routes change, and after each
 * fresh dump, everything is compared.
 */
import type { FdbEntry, Neighbour } from '../../kernel/rtnl/objects.ts';
import { type Item, type ItemMap, itemKey } from '../items/item.ts';
import type { ItemKey } from '../items/item-kind.ts';
import { neighbourKey } from '../items/neighbour.ts';
import type { KernelCache } from '../kernel/kernel-cache.ts';
import {
  type EntryItem,
  entryItem,
  type OwnLinks,
  observedEntry,
  observedItems,
  ownLinks,
} from '../kernel/observed.ts';
import type { Step } from './plan.ts';

/** Items that are not what they were, as they were; undefined for new ones. */
export type Changed = ReadonlyMap<ItemKey, Item | undefined>;

/** What to compare: both maps whole, or the same part of both. */
export interface Sides {
  readonly observed: Map<ItemKey, Item>;
  readonly desired: ItemMap;
}

export class Delta {
  #open: Map<ItemKey, EntryItem> | 'everything' = 'everything';
  /** Rulesets and plain settings are few, and observed by other means: they are compared each time. */
  readonly #always = new Set<ItemKey>();
  /** What was wanted of late and is not any more. */
  readonly #disowned = new Set<ItemKey>();
  #own: OwnLinks = new Map();

  /** Whether this agent has wanted the item, and wants it no more. */
  isDisowned(key: ItemKey): boolean {
    return this.#disowned.has(key);
  }

  openEverything(): void {
    this.#open = 'everything';
  }

  /** @param changed what is different in `desired` since the last call */
  sides(cache: KernelCache, desired: ItemMap, changed: Changed): Sides {
    const { topology, entries } = cache.takeChanges();
    if (topology) this.#open = 'everything';
    for (const [key, before] of changed) this.#desiredChanged(key, desired.get(key), before);
    const isWanted = (key: ItemKey) => desired.has(key) || this.#disowned.has(key);
    if (this.#open === 'everything') {
      this.#own = ownLinks(cache, desired);
      return { observed: observedItems(cache, desired, isWanted, this.#own), desired };
    }
    for (const entry of entries) {
      const item = entryItem(entry, this.#own) ?? this.#wantedInPlaceOf(entry, desired);
      if (item !== undefined) this.#open.set(itemKey(item), item);
    }
    const part = { observed: new Map<ItemKey, Item>(), desired: new Map<ItemKey, Item>() };
    for (const [key, place] of this.#open) {
      const have = observedEntry(cache, this.#own, place, isWanted);
      if (have !== undefined) part.observed.set(key, have);
    }
    for (const key of [...this.#open.keys(), ...this.#always]) {
      const want = desired.get(key);
      if (want !== undefined) part.desired.set(key, want);
    }
    return part;
  }

  /** Takes what came of the comparison: what needs no step, and is on both sides or on neither, is closed. */
  close({ observed, desired }: Sides, steps: readonly Step[]): void {
    for (const key of this.#disowned) {
      if (!observed.has(key) && (this.#open === 'everything' || this.#open.has(key))) this.#disowned.delete(key);
    }
    const unequal = new Map(steps.map(({ key, item }) => [key, item]));
    for (const [key, item] of observed) if (!desired.has(key)) unequal.set(key, item);
    this.#open = new Map();
    for (const [key, item] of unequal) this.#touch(key, item);
  }

  /** A neighbour that is not ours any more: one that failed when it was deleted, or that the kernel found by itself. */
  #wantedInPlaceOf(entry: FdbEntry | Neighbour, desired: ItemMap): EntryItem | undefined {
    const link = this.#own.get(entry.link)?.link.name;
    if (link === undefined || 'table' in entry) return undefined;
    const wanted = desired.get(neighbourKey(link, entry.address));
    return wanted?.kind === 'neighbour' ? wanted : undefined;
  }

  #desiredChanged(key: ItemKey, now: Item | undefined, before: Item | undefined): void {
    if (now === undefined) this.#disowned.add(key);
    else this.#disowned.delete(key);
    const item = now ?? before;
    if (item !== undefined) this.#touch(key, item);
  }

  #touch(key: ItemKey, item: Item): void {
    if (item.kind === 'ruleset' || item.kind === 'sysctl') this.#always.add(key);
    else if (item.kind !== 'fdb' && item.kind !== 'neighbour') this.#open = 'everything';
    else if (this.#open !== 'everything') this.#open.set(key, item);
  }
}

/** For whoever does not keep account of what changes. */
export function changesBetween(before: ItemMap, now: ItemMap): Changed {
  const changed = new Map<ItemKey, Item | undefined>();
  if (before === now) return changed;
  for (const [key, item] of now) if (before.get(key) !== item) changed.set(key, before.get(key));
  for (const [key, item] of before) if (!now.has(key)) changed.set(key, item);
  return changed;
}
