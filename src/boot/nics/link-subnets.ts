/** The subnets behind host0's links, from which VXLAN is taken: those of addresses, and those that routes lead to. Pure. */
import type { Route } from '../../kernel/rtnl/objects.ts';
import { type Ipv4, type Ipv4Cidr, ipv4InSubnet, ipv4Length, ipv4Subnet, isIpv4 } from '../../model/address/ipv4.ts';
import { isSegment } from '../../protocol/shapes/parts.ts';
import { isNodeAddress, type LinkAddress } from './nic-address.ts';

/** What is read of a route. */
export type LinkRoute = Pick<Route, 'family' | 'destination' | 'link' | 'source' | 'metric'>;

/** A longer prefix has no room for another host: its subnet says nothing about who is behind the link. */
const SUBNET_LENGTH_MAX = 30;
/** A VPN has two routes of this length in place of a default route. */
const DEFAULT_LENGTH_MAX = 1;

/** Whether the route is for all destinations, or for half of them. */
export function isDefaultRoute({ family, destination }: LinkRoute): boolean {
  return family === 4 && ipv4Length(destination as Ipv4Cidr) <= DEFAULT_LENGTH_MAX;
}

/**
 * The subnets of a link, each with host0's address in it. Where all addresses are a /31 or a /32, as in clouds and on
 * point-to-point links, the routes by that link say who is behind it.
 * @param addresses those of the link
 * @param routes those by the link
 */
export function subnetsOf(addresses: readonly LinkAddress[], routes: readonly LinkRoute[]): Map<Ipv4Cidr, Ipv4> {
  const bySubnet = new Map<Ipv4Cidr, Ipv4>();
  const own = addresses.filter(isNodeAddress);
  const add = (subnet: Ipv4Cidr, ipv4: Ipv4) => {
    if (!bySubnet.has(subnet)) bySubnet.set(subnet, ipv4);
  };
  for (const { address, length } of own) {
    if (length < 32) add(ipv4Subnet(address as Ipv4, length), address as Ipv4);
  }
  const [first] = own;
  if (first === undefined || own.some(({ length }) => length <= SUBNET_LENGTH_MAX)) return bySubnet;
  for (const route of routes) {
    const { destination, source } = route;
    if (route.family !== 4 || isDefaultRoute(route) || !isSegment(destination)) continue;
    add(destination, source !== undefined && isIpv4(source) ? source : (first.address as Ipv4));
  }
  return bySubnet;
}

/** The way to a subnet: the link, and host0's address on it, from which it sends there. */
export interface SubnetWay {
  readonly link: number;
  readonly ipv4: Ipv4;
}

/** The way that the routes have to a whole subnet; undefined if there is none. */
export function wayTo(
  subnet: Ipv4Cidr,
  routes: Iterable<LinkRoute>,
  addresses: readonly LinkAddress[],
): SubnetWay | undefined {
  const base = subnet.slice(0, subnet.indexOf('/')) as Ipv4;
  const covering = [...routes].filter(({ family, destination }) => {
    if (family !== 4) return false;
    const network = destination as Ipv4Cidr;
    return ipv4Length(network) <= ipv4Length(subnet) && ipv4InSubnet(base, network);
  });
  const length = ({ destination }: LinkRoute) => ipv4Length(destination as Ipv4Cidr);
  const [best] = covering.sort((a, b) => length(b) - length(a) || a.metric - b.metric);
  const link = best?.link;
  if (best === undefined || link === undefined) return undefined;
  const own = addresses.find((address) => address.link === link && isNodeAddress(address))?.address;
  const ipv4 = best.source ?? own;
  return ipv4 === undefined || !isIpv4(ipv4) ? undefined : { link, ipv4 };
}
