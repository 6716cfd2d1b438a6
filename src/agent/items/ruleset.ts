/**
 * One nft table of ours, whole. It comes into force in one transaction; where only set elements differ (a member came
 * or went) just these are added and deleted, so that a join costs the same on a node with a thousand members.
 */
import type { ItemKind } from './item-kind.ts';

export interface RulesetItem {
  readonly kind: 'ruleset';
  readonly family: 'inet' | 'bridge';
  /** Sets with fixed declarations and changing elements, in nft's own spelling. */
  readonly sets: ReadonlyMap<string, { readonly declaration: string; readonly elements: ReadonlySet<string> }>;
  /** Everything else of the table's body. */
  readonly body: string;
  /** False when the kernel's table is not what we last put there, so that it must be written whole. */
  readonly intact: boolean;
}

export const TABLE = 'meshwork';

/** Whether the two differ in set elements at most. */
function sameStructure(have: RulesetItem, want: RulesetItem): boolean {
  if (have.body !== want.body || have.sets.size !== want.sets.size) return false;
  for (const [name, { declaration }] of want.sets) if (have.sets.get(name)?.declaration !== declaration) return false;
  return true;
}

/** Whether a change from the one to the other leaves the table where it is. */
export function isElementChange(have: RulesetItem, want: RulesetItem): boolean {
  return have.intact && sameStructure(have, want);
}

/** The whole table as one transaction, replacing whatever was there. Declaring it first lets the delete never fail. */
export function rulesetScript(item: RulesetItem): string {
  const sets = [...item.sets].map(([name, { declaration, elements }]) => {
    const list = elements.size === 0 ? '' : ` elements = { ${[...elements].join(', ')} };`;
    return `  set ${name} { ${declaration};${list} }\n`;
  });
  const name = `table ${item.family} ${TABLE}`;
  return `${name} {}\ndelete ${name}\n${name} {\n${sets.join('')}${item.body}}\n`;
}

/** What a step is made of, said and done with: worked out once for the two. */
const scripts = new WeakMap<RulesetItem, { readonly have: RulesetItem; readonly script: string }>();

function elementScript(have: RulesetItem, want: RulesetItem): string {
  const known = scripts.get(want);
  if (known?.have === have) return known.script;
  const lines: string[] = [];
  for (const [name, { elements }] of want.sets) {
    const before = have.sets.get(name)?.elements ?? new Set();
    if (before === elements) continue;
    const where = `element ${want.family} ${TABLE} ${name}`;
    const added = without(elements, before);
    const gone = without(before, elements);
    if (added.length > 0) lines.push(`add ${where} { ${added.join(', ')} }\n`);
    if (gone.length > 0) lines.push(`delete ${where} { ${gone.join(', ')} }\n`);
  }
  const script = lines.join('');
  scripts.set(want, { have, script });
  return script;
}

function without(elements: ReadonlySet<string>, others: ReadonlySet<string>): string[] {
  const rest: string[] = [];
  for (const element of elements) if (!others.has(element)) rest.push(element);
  return rest;
}

export const rulesetKind: ItemKind<RulesetItem> = {
  key: (item) => `nft:${item.family} ${TABLE}`,
  dependsOn: () => [],
  // Before the first link, so that nothing is ever forwarded that should not be; and the last to go.
  rank: () => 0,
  // A member that may send now is as good a moment later; those who wait for its entries do not wait for nft.
  rankOfChange: (have, want) => (isElementChange(have, want) ? 8 : 0),
  differences(have, want) {
    if (!have.intact) return ['changed by somebody else'];
    if (!sameStructure(have, want)) return ['rules'];
    return elementScript(have, want).split('\n').filter(Boolean);
  },
  mustRecreate: () => false,
  print: ({ family, sets }) => `nft table ${family} ${TABLE} { … } # sets: ${[...sets.keys()].join(' ') || 'none'}`,
  create: (item) => [{ do: 'nft', script: rulesetScript(item) }],
  change(have, want) {
    return [{ do: 'nft', script: isElementChange(have, want) ? elementScript(have, want) : rulesetScript(want) }];
  },
  remove: ({ family }) => [{ do: 'nft', script: `table ${family} ${TABLE} {}\ndelete table ${family} ${TABLE}\n` }],
};
