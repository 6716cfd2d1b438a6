/** The underlay link of a path: whether it is up, and wide enough for the VXLAN packets. */
import type { Link, Route } from '../../kernel/rtnl/objects.ts';
import { type Ipv4, ipv4Subnet } from '../../model/address/ipv4.ts';
import { vxlanOverheadBytes } from '../../model/network/types/vxlan.ts';
import type { TraceHop } from '../../protocol/documents/trace.ts';
import type { Packet } from '../firewall/packet.ts';
import { linkFault } from '../kernel/link-fault.ts';
import { differs, fine } from './hop.ts';
import type { PathState } from './path-state.ts';

/** @param link the link that the route uses; undefined when it is gone from the kernel */
export function underlayHop(pathState: PathState, link: Link | undefined): TraceHop {
  const { node, network, kernel } = pathState;
  if (link === undefined) {
    return differs(node, 'underlay', 'the underlay link is gone', 'it is up', `See \`ip link\` on ${node}.`);
  }
  const neededBytes = network.mtuBytes + vxlanOverheadBytes(network.type.underlay);
  const held = `${link.name} is ${stateOf(link)}, MTU ${link.mtuBytes}`;
  const fault = linkFault(kernel, link);
  if (fault !== undefined) {
    const wanted = link.up && link.running ? `${link.name} takes packets for its own addresses` : `${link.name} is up`;
    return differs(
      node,
      'underlay',
      link.up && link.running ? fault.message : held,
      wanted,
      `On ${node}: ${fault.remedy}`,
    );
  }
  if (link.mtuBytes < neededBytes) {
    const remedy = `On ${node}: \`ip link set ${link.name} mtu ${neededBytes}\`, if the network behind it carries packets of this size; see \`mesh doctor\`.`;
    return differs(node, 'underlay', held, `MTU ${neededBytes} at least`, remedy);
  }
  const addresses = [...kernel.addresses.values()].filter(
    ({ family, link: index }) => family === 4 && index === link.index,
  );
  if (ownIpv4s(pathState).length === 0) {
    const remedy = `Give it one on ${node}: \`mesh status\` there shows its network cards. The agent gives none.`;
    return differs(node, 'underlay', `${held}, and this machine has no IPv4 address`, `it has one`, remedy);
  }
  return fine(node, 'underlay', `${held}, ${addresses.map(({ address }) => address).join(', ')}`);
}

function stateOf({ up, running }: Link): string {
  if (!up) return 'down';
  return running ? 'up' : 'up without a carrier';
}

/** The outer addresses of VXLAN packets, as far as they are known. */
export function outerOf(
  source: Ipv4 | undefined,
  destination: Ipv4 | undefined,
): Pick<Packet, 'source' | 'destination'> {
  return {
    ...(source !== undefined && { source: ipv4Subnet(source, 32) }),
    ...(destination !== undefined && { destination: ipv4Subnet(destination, 32) }),
  };
}

/** The IPv4 addresses of this machine with global scope. */
export function ownIpv4s({ kernel }: PathState): Ipv4[] {
  return [...kernel.addresses.values()].flatMap(({ family, address, scope }) =>
    family === 4 && scope === 'global' ? [address as Ipv4] : [],
  );
}

/** The link that has this address; undefined when no link has it. */
export function linkWith({ kernel }: PathState, ipv4: Ipv4 | undefined): Link | undefined {
  for (const { address, link } of kernel.addresses.values()) if (address === ipv4) return kernel.links.get(link);
  return undefined;
}

/** A route in words, to follow its destination: `goes via 10.11.0.1 through eth0 from 10.11.0.2`. */
export function routeText({ kernel }: PathState, route: Route): string {
  const device =
    route.link === undefined ? '' : ` through ${kernel.links.get(route.link)?.name ?? `link ${route.link}`}`;
  const way = route.gateway === undefined ? 'is direct' : `goes via ${route.gateway}`;
  return way + device + (route.source === undefined ? '' : ` from ${route.source}`);
}
