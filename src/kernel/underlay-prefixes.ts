/** The IPv6 prefixes that this host uses already, and that a mesh must not take over. */

import type { Ipv6Cidr } from '../model/address/ipv6.ts';
import type { Network } from '../model/network/network.ts';
import type { Link, Route } from './rtnl/objects.ts';

/** Prefixes that exist on any host, and therefore say nothing. */
const EVERYWHERE = new Set(['::/0', 'fe80::/64']);

/**
 * The IPv6 destinations of all routes through links that are not ours, without the default route and fe80::/64.
 * @param networks the bridges of these networks count as ours, besides the links that our alias marks
 */
export function underlayPrefixes(
  links: Iterable<Link>,
  routes: Iterable<Route>,
  networks: readonly Network[],
): readonly Ipv6Cidr[] {
  const ours = new Set(networks.map(({ devices }) => devices.bridge));
  const foreign = new Set<number>();
  for (const { index, name, alias } of links) {
    if (!alias.startsWith('meshwork:') && !ours.has(name)) foreign.add(index);
  }
  const prefixes = new Set<string>();
  for (const { family, destination, link } of routes) {
    if (family !== 6 || link === undefined || !foreign.has(link)) continue;
    if (!EVERYWHERE.has(destination)) prefixes.add(destination);
  }
  return [...prefixes] as Ipv6Cidr[];
}
