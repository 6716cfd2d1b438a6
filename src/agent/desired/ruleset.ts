/**
 * The nft tables of a node, derived from its networks: `inet meshwork` (inet-table.ts) and `bridge meshwork`
 * (bridge-table.ts). All rules work with bridge-nf-call-* on and off. When it is on, bridged frames also pass the inet
 * hooks, with the bridge as both input and output interface; the `input` hook still sees packets to this host only.
 */
import type { RulesetItem } from '../items/ruleset.ts';
import { bridgeTable } from './bridge-table.ts';
import { inetTable, sourceSet } from './inet-table.ts';
import type { RulesetInput } from './ruleset-input.ts';

/** The desired tables: `inet` and `bridge`; none on a node without a network. */
export function rulesets(input: RulesetInput): RulesetItem[] {
  if (input.networks.length === 0) return [];
  return [inetTable(input), bridgeTable(input)];
}

/** `table` with the sources of `networks`; the same object when it has these sources already. */
export function withSources(table: RulesetItem, networks: RulesetInput['networks']): RulesetItem {
  const changed = networks.flatMap(({ network, sources }) => {
    const name = sourceSet(network);
    const set = table.sets.get(name);
    return set === undefined || set.elements === sources ? [] : [[name, { ...set, elements: sources }] as const];
  });
  return changed.length === 0 ? table : { ...table, sets: new Map([...table.sets, ...changed]) };
}
