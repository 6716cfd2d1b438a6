/**
 * Routing rules that send VXLAN packets, and no others, by the routes through host0 (route.ts). So the node's own traffic
 * to the networks of host0 keeps its way.
 */
import type { UdpPorts } from '../../kernel/rtnl/objects.ts';
import type { ItemKind, Operation } from './item-kind.ts';
import { OUR_PROTOCOL } from './mark.ts';
import { RANK } from './rank.ts';

/** An IPv4 rule for UDP packets. Its mark is OUR_PROTOCOL. */
export interface RuleItem {
  readonly kind: 'rule';
  /** Identifies the rule; lower numbers come first. */
  readonly priority: number;
  readonly table: number;
  /** Absent only for an observed rule that another program has changed. */
  readonly udp?: UdpPorts;
}

/** Rules come after the routes of their table. */
export const ruleKind: ItemKind<RuleItem> = {
  key: (item) => `rule:${item.priority}`,
  dependsOn: () => [],
  rank: () => RANK.routingRule,
  differences: (have, want) => (textOf(have) === textOf(want) ? [] : [`${textOf(have)} → ${textOf(want)}`]),
  mustRecreate: (have, want) => textOf(have) !== textOf(want),
  print: (item) => `ip rule add ${textOf(item)}`,
  printRemove: (item) => `ip rule delete ${textOf(item)}`,
  create: (item) => operation('rule-add', item),
  change: (have, want) => [...operation('rule-delete', have), ...operation('rule-add', want)],
  remove: (item) => operation('rule-delete', item),
};

function operation(verb: 'rule-add' | 'rule-delete', { priority, table, udp = {} }: RuleItem): Operation[] {
  return [{ do: verb, priority, table, protocol: OUR_PROTOCOL, udp }];
}

function textOf({ priority, table, udp }: RuleItem): string {
  const ports = [udp?.from && `sport ${udp.from}`, udp?.to && `dport ${udp.to}`].filter((word) => word !== undefined);
  const udpText = udp === undefined ? 'for other packets' : ['ipproto udp', ...ports].join(' ');
  return `pref ${priority} ${udpText} lookup ${table} protocol ${OUR_PROTOCOL}`;
}
