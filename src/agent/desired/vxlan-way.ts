/**
 * The way of VXLAN packets to the segments behind host0: a routing table of their own, with rules that lead to it. host0
 * forwards VXLAN only, so all other traffic of the node keeps the way that it has without Meshwork.
 */
import type { Rule, UdpPorts } from '../../kernel/rtnl/objects.ts';
import { type Ipv4Cidr, ipv4InSubnet } from '../../model/address/ipv4.ts';
import { VXLAN_PORT } from '../../model/network/types/vxlan.ts';
import type { Item } from '../items/item.ts';
import { isNftName } from '../items/nft-text.ts';
import { VXLAN_TABLE } from '../items/route.ts';
import type { OnLinkSubnet } from '../kernel/shared-subnets.ts';
import type { Host0Stance } from './assignment.ts';

/**
 * Ports of the packets for which rules look into the table for VXLAN. The first are VXLAN packets. The second are the
 * answers that the kernel imagines when it checks whether the source of a VXLAN packet is plausible (rp_filter,
 * fib_validate_source in net/ipv4/fib_frontend.c): it swaps the ports.
 */
const VXLAN_RULES: readonly UdpPorts[] = [{ to: VXLAN_PORT }, { from: VXLAN_PORT }];
/** Some way before the rule for the main table: the kernel puts rules of others that name no priority before the first. */
const USUAL_PRIORITY = 32_700;
/** The priority of the kernel's own rule for the main table. */
const MAIN_RULE = 32_766;

/**
 * The priority of our first rule: before the rules of others, such as a VPN that takes all traffic. What members send to
 * each other would be lost in the VPN.
 * @returns undefined for a kernel that has no rules
 */
export function firstRule(rules: Iterable<Rule>): number | undefined {
  const all = [...rules];
  if (all.length === 0) return undefined;
  const others = all
    .filter(({ table, priority }) => table !== VXLAN_TABLE && priority > 0 && priority < MAIN_RULE)
    .map(({ priority }) => priority - VXLAN_RULES.length);
  return Math.max(1, Math.min(USUAL_PRIORITY, ...others));
}

/**
 * Routes through host0, and the rules for them. On a kernel without rules, which has one table, the routes are for all
 * packets.
 * @param wanted whether there is a network
 * @param priority of the first rule
 */
export function vxlanWay(
  host0: Extract<Host0Stance, { role: 'node' }>,
  wanted: boolean,
  priority: number | undefined,
): Item[] {
  const segments = wanted ? segmentsBehind(host0) : [];
  if (segments.length === 0) return [];
  const table = VXLAN_TABLE;
  const rules = priority === undefined ? [] : VXLAN_RULES.map((udp, at) => ({ udp, priority: priority + at }));
  return [
    ...segments.map((destination) => ({ kind: 'route', destination, gateway: host0.ipv4, table }) as const),
    ...rules.map((rule) => ({ kind: 'rule', table, ...rule }) as const),
  ];
}

/**
 * The segments behind host0, at the link to host0. The routes of other traffic, which nft looks at, may lead to them by
 * another link, or by none.
 */
export function behindHost0(host0: Host0Stance): OnLinkSubnet[] {
  if (host0.role !== 'node' || host0.device === undefined || !isNftName(host0.device)) return [];
  const { device } = host0;
  return segmentsBehind(host0).map((subnet) => ({ device, subnet }));
}

/** The segments that this node reaches through host0, and not otherwise. */
function segmentsBehind(host0: Extract<Host0Stance, { role: 'node' }>): Ipv4Cidr[] {
  if (!host0.onLink) return [];
  return host0.segments.filter((segment) => !ipv4InSubnet(host0.ipv4, segment) && !host0.reachable.includes(segment));
}
