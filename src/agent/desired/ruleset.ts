/**
 * The nft tables of a node, derived from its networks: `inet meshwork` (inet-table.ts) and `bridge meshwork`
 * (bridge-table.ts). All rules work with bridge-nf-call-* on and off. When it is on, bridged frames also pass the inet
 * hooks, with the bridge as both input and output interface; the `input` hook still sees packets to this host only.
 */
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import type { RulesetItem, RulesetSet } from '../items/ruleset.ts';
import { bridgeTable } from './bridge-table.ts';
import { inetTable, sourceSet } from './inet-table.ts';
import { addressSet, macSet } from './port-guard.ts';
import type { GuardedAddresses, MemberElements, RulesetInput } from './ruleset-input.ts';

/** The desired tables: `inet` and `bridge`; none on a node without a network. */
export function rulesets(input: RulesetInput): RulesetItem[] {
  if (input.networks.length === 0) return [];
  return [inetTable(input), bridgeTable(input)];
}

/**
 * The elements that the tables have of the members of a network.
 * @param sources underlay addresses from which VXLAN packets of this network are accepted
 * @param guarded the addresses that no port of this node may send from
 */
export function memberElements(
  network: Mesh,
  sources: ReadonlySet<Ipv4>,
  { macs, ipv6s }: GuardedAddresses,
): MemberElements {
  const { vni } = network.type;
  return new Map([
    [sourceSet(network), sources],
    [macSet(vni), macs],
    [addressSet(vni), ipv6s],
  ]);
}

/** `table` with the elements of all networks' members; the same object when it has these already. */
export function withMembers(table: RulesetItem, networks: readonly MemberElements[]): RulesetItem {
  const changed: [string, RulesetSet][] = [];
  for (const wanted of networks) {
    for (const [name, elements] of wanted) {
      const set = table.sets.get(name);
      if (set !== undefined && set.elements !== elements) changed.push([name, { ...set, elements }]);
    }
  }
  return changed.length === 0 ? table : { ...table, sets: new Map([...table.sets, ...changed]) };
}
