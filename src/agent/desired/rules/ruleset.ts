/**
 * The nft tables of a node, collected from contributions: `inet meshwork` (inet-table.ts) and `bridge meshwork`
 * (bridge-table.ts). All rules work with bridge-nf-call-* on and off. When it is on, bridged frames also pass the inet
 * hooks, with the bridge as both input and output interface; the `input` hook still sees packets to this host only.
 */
import type { RulesetItem, RulesetSet } from '../../items/ruleset.ts';
import { bridgeTable } from './bridge-table.ts';
import type { RuleContribution } from './contribution.ts';
import type { ElementSets } from './element-sets.ts';
import { inetTable } from './inet-table.ts';

/** The desired tables: `inet` and `bridge`; none on a node without a network. @param contributions in order (`byNumber`) */
export function rulesets(contributions: readonly RuleContribution[]): RulesetItem[] {
  if (contributions.every(({ number }) => number === 0)) return [];
  return [inetTable(contributions), bridgeTable(contributions)];
}

/** `table` with the elements that come and go with members; the same object when it has these already. */
export function withElements(table: RulesetItem, elements: ElementSets): RulesetItem {
  const changed: [string, RulesetSet][] = [];
  for (const [name, set] of table.sets) {
    if (set.late !== true) continue;
    const now = elements.elementsOf(name);
    if (set.elements !== now) changed.push([name, { ...set, elements: now }]);
  }
  return changed.length === 0 ? table : { ...table, sets: new Map([...table.sets, ...changed]) };
}
