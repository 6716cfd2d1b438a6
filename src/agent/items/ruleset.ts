/**
 * Our nft tables, each a single item. A table is replaced in one transaction. Where only set elements differ (a member
 * came or went), only these are added and deleted, so a join costs the same on a node with a thousand members.
 */
import type { ElementChange, TableElements } from '../../kernel/nftables/element-batch.ts';
import type { ItemKey, ItemKind, NftOperation } from './item-kind.ts';
import { nftElements } from './nft-text.ts';
import { RANK } from './rank.ts';

/** One nft table. */
export interface RulesetItem {
  readonly kind: 'ruleset';
  readonly family: 'inet' | 'bridge';
  readonly sets: ReadonlyMap<string, RulesetSet>;
  /**
   * Sets of the body in which the kernel remembers what the rules have let through. They are emptied with each change of
   * elements, since the rules may then judge otherwise.
   */
  readonly remembering?: readonly string[];
  /** The rest of the table's body: the chains. */
  readonly body: string;
  /** False when the kernel's table is not what the agent last wrote, so that it must be written whole. */
  readonly intact: boolean;
}

/** A set or a verdict map of a table: a fixed declaration and changing elements, in nft's own spelling. */
export interface RulesetSet {
  /** `type ipv4_addr`; of a map, `type ifname : verdict`. */
  readonly declaration: string;
  /** Its elements come and go with members, and may be added after the entries of a member. */
  readonly late?: boolean;
  readonly elements: ReadonlySet<string>;
}

/** The sets of a table that is being made, by name. */
export type RulesetSets = Map<string, RulesetSet>;

/** The declared size of a set of a few elements. */
const SIZE_FEW = 16;
const FEW = 8;
/** The least declared size of a larger set, so that a node to which ports and networks come one by one seldom writes its table whole. */
const SIZE_MANY = 1_024;

/**
 * A set whose size is declared: the kernel then keeps it in a table of fixed size, in which it looks an element up with less work
 * (`nft_hash` in place of `nft_rhash`). Only for sets that each packet is looked up in and that change seldom: for more elements than the
 * size, the table is written whole.
 */
export function sized(type: string, elements: readonly string[]): RulesetSet {
  const size = elements.length <= FEW ? SIZE_FEW : Math.max(SIZE_MANY, 2 ** Math.ceil(Math.log2(elements.length + 1)));
  return { declaration: `${type}; size ${size}`, elements: new Set(elements) };
}

/** The name of our nft table, in each family. */
export const TABLE = 'meshwork';

/** The key of the table of a family. */
export function rulesetKey(family: RulesetItem['family']): ItemKey {
  return `nft:${family} ${TABLE}`;
}

/** Whether the two tables are equal, or differ only in set elements. */
function sameStructure(have: RulesetItem, want: RulesetItem): boolean {
  if (have.body !== want.body || have.sets.size !== want.sets.size) return false;
  for (const [name, { declaration }] of want.sets) if (have.sets.get(name)?.declaration !== declaration) return false;
  return true;
}

/** Whether a change from `have` to `want` adds and deletes set elements only. */
export function isElementChange(have: RulesetItem, want: RulesetItem): boolean {
  return have.intact && sameStructure(have, want);
}

/** Whether only elements that come and go with members differ. */
function isLate(have: RulesetItem, want: RulesetItem): boolean {
  for (const [name, { late, elements }] of want.sets) {
    if (late !== true && !sameElements(have.sets.get(name)?.elements, elements)) return false;
  }
  return true;
}

function sameElements(have: ReadonlySet<string> | undefined, want: ReadonlySet<string>): boolean {
  return have === want || (have?.size === want.size && have.isSubsetOf(want));
}

/**
 * The nft script that replaces the whole table in one transaction. It declares the table first, so that the delete
 * never fails.
 */
export function rulesetScript(item: RulesetItem): string {
  const sets = [...item.sets].map(([name, { declaration, elements }]) => {
    const list = elements.size === 0 ? '' : ` elements = { ${nftElements(elements)} };`;
    return `  ${declaration.includes(' : ') ? 'map' : 'set'} ${name} { ${declaration};${list} }\n`;
  });
  const name = `table ${item.family} ${TABLE}`;
  return `${name} {}\ndelete ${name}\n${name} {\n${sets.join('')}${item.body}}\n`;
}

/** Element changes by desired item. Printing a step and applying it need the same change, so it is computed once. */
const elementChanges = new WeakMap<RulesetItem, { readonly have: RulesetItem; readonly change: ElementsOperation }>();

type ElementsOperation = NftOperation & { readonly elements: TableElements };

/** The change from one table to another that differs in set elements only. */
function elementChange(have: RulesetItem, want: RulesetItem): ElementsOperation {
  const known = elementChanges.get(want);
  if (known?.have === have) return known.change;
  const changes: ElementChange[] = [];
  for (const [set, { declaration, elements }] of want.sets) {
    const before = have.sets.get(set)?.elements ?? new Set();
    if (before === elements) continue;
    const [gone, added] = [without(before, elements), without(elements, before)];
    if (gone.length + added.length > 0) changes.push({ set, declaration, gone, added });
  }
  const emptied = changes.length === 0 ? [] : (want.remembering ?? []);
  const elements = { family: want.family, table: TABLE, changes, emptied };
  const change = { do: 'nft', script: scriptOf(elements), elements } as const;
  elementChanges.set(want, { have, change });
  return change;
}

/** Empties the sets in which the kernel remembers what the rules have let through; undefined for a table without such sets. */
export function forgetting({ family, remembering = [] }: RulesetItem): NftOperation | undefined {
  if (remembering.length === 0) return undefined;
  const elements = { family, table: TABLE, changes: [], emptied: remembering };
  return { do: 'nft', script: scriptOf(elements), elements };
}

function scriptOf({ family, table, changes, emptied }: TableElements): string {
  const lines: string[] = [];
  for (const { set, gone, added } of changes) {
    const where = `element ${family} ${table} ${set}`;
    // A map has one element for a key: the old one goes first. The transaction takes effect at once.
    if (gone.length > 0) lines.push(`delete ${where} { ${nftElements(gone)} }\n`);
    if (added.length > 0) lines.push(`add ${where} { ${nftElements(added)} }\n`);
  }
  for (const set of emptied) lines.push(`flush set ${family} ${table} ${set}\n`);
  return lines.join('');
}

function without(elements: ReadonlySet<string>, others: ReadonlySet<string>): string[] {
  const rest: string[] = [];
  for (const element of elements) if (!others.has(element)) rest.push(element);
  return rest;
}

/** Tables come before links, so that no packet is ever forwarded without them. */
export const rulesetKind: ItemKind<RulesetItem> = {
  key: ({ family }) => rulesetKey(family),
  dependsOn: () => [],
  rank: () => RANK.rules,
  // A port is in the rules before it is on its bridge.
  rankOfChange: (have, want) => (isElementChange(have, want) && isLate(have, want) ? RANK.memberElement : RANK.rules),
  differences(have, want) {
    if (!have.intact) return ['changed by another program'];
    if (!sameStructure(have, want)) return ['rules'];
    return elementChange(have, want).script.split('\n').filter(Boolean);
  },
  mustRecreate: () => false,
  print: ({ family, sets }) => `nft table ${family} ${TABLE} { … } # sets: ${[...sets.keys()].join(' ') || 'none'}`,
  create: (item) => [{ do: 'nft', script: rulesetScript(item) }],
  change(have, want) {
    return [isElementChange(have, want) ? elementChange(have, want) : { do: 'nft', script: rulesetScript(want) }];
  },
  remove: ({ family }) => [{ do: 'nft', script: `table ${family} ${TABLE} {}\ndelete table ${family} ${TABLE}\n` }],
};
