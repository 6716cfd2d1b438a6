/** Subnets in which nodes have addresses themselves: a machine has one route for each. */
import { ipv4Overlap } from '../../address/ipv4.ts';
import { type Ipv6Cidr, ipv6InSubnet, parseIpv6Interface } from '../../address/ipv6.ts';
import type { Network } from '../network.ts';
import type { Subnet } from '../subnet.ts';

type Cidr = Subnet['cidr'];

/** The subnets of a network on whose bridge nodes have addresses; none where services run apart from the nodes. */
export function hostSubnets({ subnets, hostAddress: { kind }, bridge }: Network): readonly Cidr[] {
  return bridge !== undefined && (kind === 'given' || kind === 'per-node') ? subnets.map(({ cidr }) => cidr) : [];
}

/** Whether several nodes serve a network at addresses of their own, in one layer-2 network. */
export function isServedByNodes({ type, hostAddress }: Pick<Network, 'type' | 'hostAddress'>): boolean {
  return hostAddress.kind === 'per-node' && type.kind === 'vxlan';
}

/** Two subnets with addresses in common that a node would have on two bridges; undefined where there are none. */
export function sharedSubnet(a: Network, b: Network): readonly [Cidr, Cidr] | undefined {
  if (!mayMeet(a, b)) return undefined;
  for (const one of hostSubnets(a)) {
    for (const other of hostSubnets(b)) if (subnetsOverlap(one, other)) return [one, other];
  }
  return undefined;
}

/** Whether two subnets have addresses in common. */
export function subnetsOverlap(a: Cidr, b: Cidr): boolean {
  if (!isIpv6(a) && !isIpv6(b)) return ipv4Overlap(a, b);
  if (!isIpv6(a) || !isIpv6(b)) return false;
  const [one, other] = [parseIpv6Interface(a), parseIpv6Interface(b)];
  return one.length <= other.length ? ipv6InSubnet(other.address, a) : ipv6InSubnet(one.address, b);
}

function isIpv6(cidr: Cidr): cidr is Ipv6Cidr {
  return cidr.includes(':');
}

/** Whether one node may have both. The home of a given address is host0. */
function mayMeet(a: Network, b: Network): boolean {
  const [here, there] = [nodesOf(a), nodesOf(b)];
  return here === undefined || there === undefined || here.some((node) => there.includes(node));
}

/** Undefined for all nodes. */
function nodesOf({ hostAddress, span }: Network): readonly string[] | undefined {
  if (hostAddress.kind === 'given') return ['host0'];
  return span.kind === 'nodes' ? span.nodes : undefined;
}
