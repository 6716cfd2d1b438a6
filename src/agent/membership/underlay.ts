/** A node's state on the underlay: which of host0's addresses it uses, and which address it sends from. */
import { isDeepStrictEqual } from 'node:util';
import type { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import type { Route } from '../../kernel/rtnl/objects.ts';
import { type Ipv4, type Ipv4Cidr, ipv4InSubnet, ipv4Overlap, ipv4Subnet, isIpv4 } from '../../model/address/ipv4.ts';
import { OUR_PROTOCOL } from '../items/mark.ts';
import type { KernelPort } from '../kernel/kernel-port.ts';

const DEFAULT = '0.0.0.0/0';

/** How the underlay looks from this node, read from the kernel. */
export interface UnderlayState {
  /** The host0 address that is in one of the node's own subnets, else the first that is configured. */
  readonly host0: Ipv4;
  /** The address that the node sends to host0 from; absent while there is no route to host0. */
  readonly local?: Ipv4;
  /** Name of the link that the node reaches host0 by; absent while there is no route to host0. */
  readonly device?: string;
  /** Whether host0 is reached without a gateway. */
  readonly onLink: boolean;
  /** The segments that were looked for. How the node stands to others is not known. */
  readonly segments: readonly Ipv4Cidr[];
  /**
   * Subnets that the node reaches without Meshwork's routes: its own subnets, and those with a route from another
   * program.
   */
  readonly reachable: readonly Ipv4Cidr[];
  /** What belongs to the node itself: the subnets on its links, and the routers of its other routes. */
  readonly own: readonly Ipv4Cidr[];
}

/** The segments that host0 lists, judged by what the node has itself. */
export interface JudgedSegments {
  readonly taken: readonly Ipv4Cidr[];
  /** Each with the network of the node that a route to it would take over. */
  readonly refused: readonly { readonly segment: Ipv4Cidr; readonly own: Ipv4Cidr }[];
}

/**
 * Refuses the segments that have addresses in common with a network of the node itself: whoever answers as host0 must not
 * lead the traffic of those networks to host0. The node's own segment is no such network, as no route to it is made; nor is
 * a segment that the node is on with another of its interfaces.
 */
export function judgeSegments(segments: readonly Ipv4Cidr[], { host0, reachable, own }: UnderlayState): JudgedSegments {
  const refused = segments.flatMap((segment) => {
    if (ipv4InSubnet(host0, segment) || reachable.includes(segment)) return [];
    const taken = own.find((network) => ipv4Overlap(network, segment));
    return taken === undefined ? [] : [{ segment, own: taken }];
  });
  const isRefused = new Set(refused.map(({ segment }) => segment));
  return { taken: segments.filter((segment) => !isRefused.has(segment)), refused };
}

/**
 * Whether a route of another program may decide how the node stands to a segment: it leads to a part of the segment, or to
 * more, or it is the default route. A router has hundreds of thousands of others.
 */
export function concernsSegments({ family, protocol, destination }: Route, segments: readonly Ipv4Cidr[]): boolean {
  if (family !== 4 || protocol === OUR_PROTOCOL) return false;
  return destination === DEFAULT || segments.some((segment) => ipv4Overlap(destination as Ipv4Cidr, segment));
}

/**
 * Reads the underlay state from the cache, and asks the kernel for the route to host0 and for those that concern the
 * segments. A route that leads nowhere (`blackhole`, or by the loopback) makes nothing reachable.
 * @param candidates host0's underlay addresses in order of preference
 * @throws TypeError when there is no candidate
 */
export async function lookAtUnderlay(
  candidates: readonly Ipv4[],
  segments: readonly Ipv4Cidr[],
  cache: KernelTables,
  kernel: KernelPort,
): Promise<UnderlayState> {
  const subnets = ownSubnets(cache);
  const host0 = candidates.find((address) => subnets.some((subnet) => ipv4InSubnet(address, subnet))) ?? candidates[0];
  if (host0 === undefined) throw new TypeError('a node needs an address of host0');
  const leadsOut = ({ link }: Route) => link !== undefined && cache.links.get(link)?.loopback !== true;
  const foreign = await kernel.ipv4Routes((route) => concernsSegments(route, segments) && leadsOut(route));
  const destinations = foreign.map(({ destination }) => destination as Ipv4Cidr);
  const reachable = [...new Set([...subnets, ...destinations.filter((destination) => destination !== DEFAULT)])];
  const own = [...new Set([...subnets, ...foreign.flatMap(ownPart)])];
  try {
    const route = await kernel.routeTo(host0);
    const local = route.source !== undefined && isIpv4(route.source) ? route.source : undefined;
    const device = cache.links.get(route.link ?? 0)?.name;
    return {
      host0,
      onLink: route.gateway === undefined,
      segments,
      reachable,
      own,
      ...(device !== undefined && { device }),
      ...(local !== undefined && { local }),
    };
  } catch {
    // There is no route now. A kernel event announces it when there is one.
    return { host0, onLink: false, segments, reachable, own };
  }
}

/**
 * The addresses of host0 in the order in which they are tried. A machine that can be host0 leaves its own out. Where several machines
 * can be host0, and the first choice does not answer, the next in the same subnet comes first. An address in another subnet does not:
 * it may be another NIC of the same host0, and this node would send from another address.
 * @param turns how often the first choice was given up
 */
export function inTurn(host0: readonly Ipv4[], turns: number, cache: Pick<KernelTables, 'addresses'>): readonly Ipv4[] {
  const own = new Set([...cache.addresses.values()].map(({ address }) => address));
  const others = host0.filter((address) => !own.has(address));
  const candidates = others.length === 0 ? host0 : others;
  const subnets = ownSubnets(cache);
  const subnetOf = (address: Ipv4) => subnets.find((subnet) => ipv4InSubnet(address, subnet));
  const first = candidates.find((address) => subnetOf(address) !== undefined) ?? candidates[0];
  if (first === undefined) return candidates;
  const equals = candidates.filter((address) => subnetOf(address) === subnetOf(first));
  const at = turns % equals.length;
  return [...equals.slice(at), ...equals.slice(0, at), ...candidates.filter((address) => !equals.includes(address))];
}

function ownSubnets(cache: Pick<KernelTables, 'addresses'>): Ipv4Cidr[] {
  const subnets = new Set<Ipv4Cidr>();
  for (const { family, scope, address, length } of cache.addresses.values()) {
    if (family === 4 && scope === 'global') subnets.add(ipv4Subnet(address as Ipv4, length));
  }
  return [...subnets];
}

/** The destination of a route without a gateway, as a tunnel has it; else the gateway. */
function ownPart({ destination, gateway }: Route): Ipv4Cidr[] {
  if (gateway !== undefined) return isIpv4(gateway) ? [ipv4Subnet(gateway, 32)] : [];
  return destination === DEFAULT ? [] : [destination as Ipv4Cidr];
}

/** Whether the state is unchanged, so that no pass is needed. False when there was none before. */
export function sameUnderlay(a: UnderlayState | undefined, b: UnderlayState): boolean {
  return isDeepStrictEqual(a, b);
}
