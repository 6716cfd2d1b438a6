/**
 * The sum of parts. Each update builds the parts again of which an input differs, and records the items that have changed.
 * Tests: part-fold.test.ts, desired.test.ts, delta.test.ts.
 */
import { type Item, type ItemMap, itemKey, kindOf } from '../items/item.ts';
import type { ItemKey } from '../items/item-kind.ts';
import type { Changed } from '../loop/delta.ts';
import type { Part, SetElement } from './part.ts';
import { byNumber, type RuleContribution } from './rules/contribution.ts';
import { ElementSets } from './rules/element-sets.ts';

/** A part as it was built last. */
interface Built {
  inputs: readonly unknown[];
  items: ReadonlyMap<ItemKey, Item>;
  elements: readonly SetElement[];
  rules: readonly RuleContribution[];
  parts: Map<string, Built> | undefined;
  /** The number of the last fold that had the part. */
  fold: number;
}

const NO_ITEMS: ReadonlyMap<ItemKey, Item> = new Map();
const NO_ELEMENTS: readonly SetElement[] = [];
const NO_RULES: readonly RuleContribution[] = [];

/** The items and set elements of all parts. */
export class PartFold {
  readonly #items = new Map<ItemKey, Item>();
  readonly #elements = new ElementSets();
  readonly #parts = new Map<string, Built>();
  /** The parts that have an item with this key. Several members at one underlay address share a flood entry. */
  readonly #holders = new Map<ItemKey, Built | Set<Built>>();
  #changed = new Map<ItemKey, Item | undefined>();
  readonly #rules = new Map<Built, readonly RuleContribution[]>();
  #collected: readonly RuleContribution[] | undefined;
  #folds = 0;

  /** The present items, in a map that later updates change. */
  get items(): ItemMap {
    return this.#items;
  }

  get elements(): ElementSets {
    return this.#elements;
  }

  /** The contributions to the nft tables, in order: the same array until the next change. */
  get rules(): readonly RuleContribution[] {
    this.#collected ??= [...this.#rules.values()].flat().sort(byNumber);
    return this.#collected;
  }

  /** The changes since the last call. */
  takeChanges(): Changed {
    const changed = this.#changed;
    this.#changed = new Map();
    return changed;
  }

  /** Takes these parts in place of those of the last update. */
  update(parts: Iterable<Part>): void {
    this.#fold(this.#parts, parts);
  }

  #fold(built: Map<string, Built>, parts: Iterable<Part>): void {
    const fold = ++this.#folds;
    let count = 0;
    for (const part of parts) {
      const before = built.get(part.key);
      if (before?.fold === fold) continue;
      count++;
      const now = before ?? newlyBuilt(part.key, built);
      now.fold = fold;
      if (before === undefined || !haveSameInputs(before.inputs, part.inputs)) this.#build(now, part);
    }
    if (built.size === count) return;
    for (const [key, part] of built) {
      if (part.fold === fold) continue;
      built.delete(key);
      this.#remove(part);
    }
  }

  #build(built: Built, part: Part): void {
    const { items: itemsBefore, elements: elementsBefore } = built;
    const { items, elements, rules, parts } = part.build();
    this.#takeRules(built, rules ?? NO_RULES);
    built.inputs = part.inputs;
    built.elements = elements ?? NO_ELEMENTS;
    for (const element of built.elements) this.#elements.add(element);
    for (const element of elementsBefore) this.#elements.remove(element);
    if (items !== undefined || itemsBefore.size > 0) {
      const now = new Map<ItemKey, Item>();
      for (const item of items ?? []) now.set(itemKey(item), item);
      built.items = now;
      for (const [key, item] of now) this.#hold(built, key, item);
      for (const key of itemsBefore.keys()) if (!now.has(key)) this.#release(built, key);
    }
    if (parts !== undefined) built.parts ??= new Map();
    if (built.parts !== undefined) this.#fold(built.parts, parts ?? []);
  }

  #takeRules(built: Built, rules: readonly RuleContribution[]): void {
    if (rules.length === 0 && built.rules.length === 0) return;
    built.rules = rules;
    if (rules.length === 0) this.#rules.delete(built);
    else this.#rules.set(built, rules);
    this.#collected = undefined;
  }

  #remove(built: Built): void {
    this.#takeRules(built, NO_RULES);
    for (const element of built.elements) this.#elements.remove(element);
    for (const key of built.items.keys()) this.#release(built, key);
    for (const part of built.parts?.values() ?? []) this.#remove(part);
  }

  #hold(built: Built, key: ItemKey, item: Item): void {
    const holders = this.#holders.get(key);
    if (holders === undefined) this.#holders.set(key, built);
    else if (holders instanceof Set) holders.add(built);
    else if (holders !== built) this.#holders.set(key, new Set([holders, built]));
    this.#put(key, item);
  }

  #release(built: Built, key: ItemKey): void {
    const holders = this.#holders.get(key);
    if (!(holders instanceof Set)) {
      this.#holders.delete(key);
      if (!this.#changed.has(key)) this.#changed.set(key, this.#items.get(key));
      this.#items.delete(key);
      return;
    }
    holders.delete(built);
    const [other] = holders;
    if (other === undefined) return;
    if (holders.size === 1) this.#holders.set(key, other);
    const item = other.items.get(key);
    if (item !== undefined) this.#put(key, item);
  }

  #put(key: ItemKey, item: Item): void {
    const before = this.#items.get(key);
    if (before !== undefined && kindOf(item).differences(before, item).length === 0) return;
    if (!this.#changed.has(key)) this.#changed.set(key, before);
    this.#items.set(key, item);
  }
}

function newlyBuilt(key: string, among: Map<string, Built>): Built {
  const built = { inputs: [], items: NO_ITEMS, elements: NO_ELEMENTS, rules: NO_RULES, parts: undefined, fold: 0 };
  among.set(key, built);
  return built;
}

function haveSameInputs(before: readonly unknown[], now: readonly unknown[]): boolean {
  return before.length === now.length && now.every((input, at) => input === before[at]);
}
