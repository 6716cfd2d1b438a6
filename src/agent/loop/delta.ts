/**
 * The entries in which desired and observed state may differ (after Calico's DeltaTracker). An entry is open from its
 * change on either side until both sides are found equal; a step that failed, or may not be done yet, leaves it open.
 * So a pass compares the open entries, and not those of a thousand members. When links, addresses or routes change, and
 * after each fresh dump, everything is compared.
 */

import type { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import type { FdbEntry, Neighbour } from '../../kernel/rtnl/objects.ts';
import { type Item, type ItemMap, itemKey } from '../items/item.ts';
import type { ItemKey } from '../items/item-kind.ts';
import { neighbourKey } from '../items/neighbour.ts';
import {
  type EntryItem,
  entryItem,
  type OwnLinks,
  observedEntry,
  observedItems,
  ownLinks,
} from '../kernel/observed.ts';
import type { Step } from './plan.ts';

/** The changed items by key, as they were before the change; undefined for new ones. */
export type Changed = ReadonlyMap<ItemKey, Item | undefined>;

/** The two sides of a comparison: both maps whole, or the same part of both. */
export interface Sides {
  readonly observed: Map<ItemKey, Item>;
  readonly desired: ItemMap;
}

/** The kinds that are observed apart from the cache (`observeApart`). */
const APART: ReadonlySet<Item['kind']> = new Set(['ruleset', 'sysctl', 'file', 'process', 'space']);

/** Used once a pass: `sides` before the plan, `close` after it. */
export class Delta {
  #open: Map<ItemKey, EntryItem> | 'everything' = 'everything';
  /** Keys of items of `APART`. They are few and not in the cache, so each pass compares them. */
  readonly #always = new Set<ItemKey>();
  /** Keys of items that were desired, are not any more, and may still be in the kernel. */
  readonly #disowned = new Set<ItemKey>();
  /** Those of links. The events of one that was just made may be lost: only a fresh dump says that it is not there. */
  readonly #disownedLinks = new Set<ItemKey>();
  /** The cache of the last pass: a fresh dump is another one. */
  #cache: KernelTables | undefined;
  #isFresh = false;
  #own: OwnLinks = new Map();

  /** Whether the agent has desired the item since its start, and does not desire it any more. */
  isDisowned(key: ItemKey): boolean {
    return this.#disowned.has(key);
  }

  /** Makes the next pass compare everything: the last one was not finished. */
  openEverything(): void {
    this.#open = 'everything';
  }

  /**
   * The part of both sides that must be compared.
   * @param changed the items of `desired` that have changed since the last call
   */
  sides(cache: KernelTables, desired: ItemMap, changed: Changed): Sides {
    const { topology, entries } = cache.takeChanges();
    this.#isFresh = cache !== this.#cache;
    this.#cache = cache;
    if (topology) this.#open = 'everything';
    for (const [key, before] of changed) this.#desiredChanged(key, desired.get(key), before);
    const isWanted = (key: ItemKey) => desired.has(key) || this.#disowned.has(key);
    if (this.#open === 'everything') {
      this.#own = ownLinks(cache, desired);
      return { observed: observedItems(cache, desired, isWanted, this.#own), desired };
    }
    for (const entry of entries) {
      const item = entryItem(entry, this.#own) ?? this.#desiredInsteadOf(entry, desired);
      if (item !== undefined) this.#open.set(itemKey(item), item);
    }
    const part = { observed: new Map<ItemKey, Item>(), desired: new Map<ItemKey, Item>() };
    for (const [key, entry] of this.#open) {
      const have = observedEntry(cache, this.#own, entry, isWanted);
      if (have !== undefined) part.observed.set(key, have);
    }
    for (const key of [...this.#open.keys(), ...this.#always]) {
      const want = desired.get(key);
      if (want !== undefined) part.desired.set(key, want);
    }
    return part;
  }

  /**
   * Closes all entries but those that have a step, or are observed and not desired.
   * @param steps the plan for these sides
   */
  close({ observed, desired }: Sides, steps: readonly Step[]): void {
    for (const key of this.#disowned) {
      if (observed.has(key) || (this.#disownedLinks.has(key) && !this.#isFresh)) continue;
      if (this.#open === 'everything' || this.#open.has(key)) this.#forget(key);
    }
    const unequal = new Map(steps.map(({ key, item }) => [key, item]));
    for (const [key, item] of observed) if (!desired.has(key)) unequal.set(key, item);
    this.#open = new Map();
    for (const [key, item] of unequal) this.#touch(key, item);
  }

  /**
   * The desired neighbour entry with the address of one that is not ours. Our deleted entry stays for a while as a
   * failed one, and the kernel can learn an entry for the same address.
   */
  #desiredInsteadOf(entry: FdbEntry | Neighbour, desired: ItemMap): EntryItem | undefined {
    const link = this.#own.get(entry.link)?.link.name;
    if (link === undefined || 'table' in entry) return undefined;
    const wanted = desired.get(neighbourKey(link, entry.address));
    return wanted?.kind === 'neighbour' ? wanted : undefined;
  }

  #desiredChanged(key: ItemKey, now: Item | undefined, before: Item | undefined): void {
    const item = now ?? before;
    if (now !== undefined) this.#forget(key);
    else {
      this.#disowned.add(key);
      if (item?.kind === 'link') this.#disownedLinks.add(key);
    }
    if (item !== undefined) this.#touch(key, item);
  }

  /** The item is desired again, or gone. */
  #forget(key: ItemKey): void {
    this.#disowned.delete(key);
    this.#disownedLinks.delete(key);
  }

  #touch(key: ItemKey, item: Item): void {
    if (APART.has(item.kind)) this.#always.add(key);
    else if (item.kind !== 'fdb' && item.kind !== 'neighbour') this.#open = 'everything';
    else if (this.#open !== 'everything') this.#open.set(key, item);
  }
}

/** The changes between two maps of desired items, for a desire that does not record them. */
export function changesBetween(before: ItemMap, now: ItemMap): Changed {
  const changed = new Map<ItemKey, Item | undefined>();
  if (before === now) return changed;
  for (const [key, item] of now) if (before.get(key) !== item) changed.set(key, before.get(key));
  for (const [key, item] of before) if (!now.has(key)) changed.set(key, item);
  return changed;
}
