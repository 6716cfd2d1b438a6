/** The IPv6 prefixes that this host uses outside of its meshes, as far as they can be part of a mesh's /64. */

import type { Ipv6Cidr } from '../model/address/ipv6.ts';
import type { Network } from '../model/network/network.ts';
import type { UnderlayPrefix } from '../model/network/underlay-prefix.ts';
import type { Address, Link, Route } from './rtnl/objects.ts';

/** What the kernel has. `LiveMirror` is one. */
interface UnderlayTables {
  readonly links: Iterable<Link>;
  readonly addresses: Iterable<Address>;
  readonly routes: Iterable<Route>;
}

/** The length of a mesh's prefix. A shorter route, such as that of a VPN, leads nothing away from a mesh. */
const MESH_PREFIX_LENGTH = 64;
/** Every link has this prefix. */
const LINK_LOCAL = 'fe80::/64';

/**
 * The IPv6 destinations of 64 bits and more of all routes through links that are not ours, and the global addresses of
 * these links as /128.
 * @param networks the bridges of these networks count as ours, besides the links that our alias marks
 */
export function underlayPrefixes(
  { links, addresses, routes }: UnderlayTables,
  networks: readonly Network[],
): readonly UnderlayPrefix[] {
  const ours = new Set(networks.map(({ bridge }) => bridge?.name));
  const foreign = new Map<number, Link>();
  for (const link of links) {
    if (!link.alias.startsWith('meshwork:') && !ours.has(link.name)) foreign.set(link.index, link);
  }
  const found = new Map<string, string>();
  for (const { family, destination, link: index } of routes) {
    const link = index === undefined ? undefined : foreign.get(index);
    if (family !== 6 || link === undefined || destination === LINK_LOCAL) continue;
    const length = Number(destination.slice(destination.indexOf('/') + 1));
    // A /64 on the loopback is an unreachable route: a router's own prefix has one, and a mesh's route comes before it.
    if (length < MESH_PREFIX_LENGTH || (length === MESH_PREFIX_LENGTH && link.loopback)) continue;
    found.set(destination, link.name);
  }
  for (const { family, address, link: index, scope } of addresses) {
    const link = foreign.get(index);
    if (family === 6 && scope === 'global' && link !== undefined) found.set(`${address}/128`, link.name);
  }
  return Array.from(found, ([prefix, device]) => ({ prefix: prefix as Ipv6Cidr, device }));
}
