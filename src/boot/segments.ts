/** Which of host0's ports are on a physical wire, and with which subnets: the segments that nodes can be on. */

import type { Address, Link } from '../kernel/objects.ts';
import { type Ipv4, ipv4Subnet } from '../model/ipv4.ts';
import type { Segment } from '../protocol/assignment.ts';

/** What every link of ours carries at the front of its ifalias. */
const OUR_ALIAS = 'meshwork:';

/** What makes a link a port on a wire. */
export type PortLink = Pick<Link, 'index' | 'name' | 'kind' | 'up' | 'loopback' | 'master' | 'alias'>;
export type PortAddress = Pick<Address, 'family' | 'scope' | 'link' | 'address' | 'length'>;

/**
 * @param ports names of the ports to use, whatever they are; without it, every port that is up, physical (or one end
 * of a veth pair) and in no bridge
 * @returns one for each subnet of each port, in the order of the ports
 */
export function segmentsOf(
  links: Iterable<PortLink>,
  addresses: Iterable<PortAddress>,
  ports: readonly string[] | undefined,
): readonly Segment[] {
  const devices = new Map<number, string>();
  for (const link of links) {
    if (ports === undefined ? isWire(link) : ports.includes(link.name)) devices.set(link.index, link.name);
  }
  const segments = new Map<string, Segment & { readonly link: number }>();
  for (const { family, scope, link, address, length } of addresses) {
    const device = devices.get(link);
    // A /32 has room for no node.
    if (device === undefined || family !== 4 || scope !== 'global' || length > 30) continue;
    const ipv4 = address as Ipv4;
    const segment = { device, ipv4, subnet: ipv4Subnet(ipv4, length), link };
    const key = `${device} ${segment.subnet}`;
    if (!segments.has(key)) segments.set(key, segment);
  }
  return [...segments.values()]
    .sort((a, b) => a.link - b.link)
    .map(({ device, ipv4, subnet }) => ({ device, ipv4, subnet }));
}

function isWire({ up, loopback, kind, master, alias }: PortLink): boolean {
  return up && !loopback && (kind === '' || kind === 'veth') && master === 0 && !alias.startsWith(OUR_ALIAS);
}
