/** What a network that this node routes needs of it: rules, routes, and forwarding on its bridge and on the links that lead out. */
import type { HostInterface } from '../../../model/network/host-address.ts';
import type { NodeAttachment } from '../../../protocol/documents/node-assignment.ts';
import { isNftName } from '../../items/nft-text.ts';
import type { StaticRouteItem } from '../../items/routing/static-route.ts';
import type { SysctlItem } from '../../items/sysctl.ts';
import { type AdministeredForwarding, FORWARDING_IPV6, forwardingPath } from '../../kernel/administered-forwarding.ts';
import type { ForeignLink } from '../../kernel/foreign-links.ts';
import { type BridgedNetwork, hasBridge } from '../bridged-network.ts';
import type { NetworkContext } from '../node-context.ts';
import type { Content, Part } from '../part.ts';
import { type LentForwarding, lentRules } from '../rules/routing/lent-rules.ts';
import type { GuestAddresses } from '../rules/routing/routed-here.ts';
import { isRouted, routingRules } from '../rules/routing/routing-rules.ts';

const NO_GUESTS: GuestAddresses = new Map();

/** The parts of a network with addresses of this node on its bridge. */
export function routingParts(
  network: BridgedNetwork,
  given: readonly HostInterface[],
  { node, guests = NO_GUESTS }: Pick<NetworkContext, 'node' | 'guests'>,
): Part[] {
  const parts: Part[] = [];
  if (network.routes.length > 0) {
    const build = () => ({ items: network.routes.map((route) => routeItem(network, route)) });
    parts.push({ key: 'routes', inputs: [network], build });
  }
  if (!isRouted(network, given)) return parts;
  const { vxlanPorts, host0s } = node;
  parts.push(
    {
      key: 'routing',
      inputs: [network, guests, vxlanPorts, host0s],
      build: () => ({ rules: [routingRules({ network, guests, vxlanPorts, host0s })] }),
    },
    { key: 'forwarding', inputs: [network], build: () => ({ items: [forwarding(network.bridge.name)] }) },
  );
  return parts;
}

/**
 * Forwarding on the links that lead out of the routed networks of this node. The kernel asks of IPv4 whether the link on which a packet came
 * in forwards, so other links stay as they are. IPv6 knows the machine as a whole. A machine that forwards takes no router
 * advertisements, unless it is told to. What nobody but the agent has switched on is for the networks alone (lent-rules.ts), and goes back
 * with the last of them.
 * @param routes the administrator made this machine a router of IPv4
 */
export function uplinksPart(
  attachments: readonly NodeAttachment[],
  links: readonly ForeignLink[],
  administered: AdministeredForwarding,
  routes: boolean,
): Part {
  return {
    key: 'uplinks',
    inputs: [attachments, links, administered, routes],
    build: () => uplinks(attachments, links, administered, routes),
  };
}

function uplinks(
  attachments: readonly NodeAttachment[],
  links: readonly ForeignLink[],
  administered: AdministeredForwarding,
  routes: boolean,
): Content {
  const routed = attachments.flatMap(({ network, hostAddresses = [] }) =>
    hostAddresses.length > 0 && hasBridge(network) && isRouted(network, hostAddresses)
      ? [{ via: network.routing.via, hostAddresses }]
      : [],
  );
  if (routed.length === 0) return {};
  const anyLink = routed.some(({ via }) => via.length === 0);
  const leadsOut = new Set(routed.flatMap(({ via }) => via));
  const named = links.filter(({ device }) => isNftName(device));
  const fours = named.filter(({ device, ipv4 }) => leadsOut.has(device) || (anyLink && ipv4.length > 0));
  const hasIpv6 = routed.some(({ hostAddresses }) => hostAddresses.some(({ address }) => address.includes(':')));
  const hearing = hasIpv6 ? links.filter(({ hearsRouters }) => hearsRouters) : [];
  const others = new Set(administered.ipv4);
  const lent: LentForwarding = {
    ip: routes ? [] : fours.filter(({ device }) => !others.has(device)),
    ip6: hasIpv6 && !administered.ipv6 ? named : [],
  };
  return {
    items: [
      ...fours.map(({ device }) => borrowed(forwardingPath(device), '1')),
      ...hearing.map(({ device }) => borrowed(['net', 'ipv6', 'conf', device, 'accept_ra'], '2')),
      ...(hasIpv6 ? [{ ...borrowed(FORWARDING_IPV6, '1'), late: true } as const] : []),
    ],
    rules: lent.ip.length + lent.ip6.length === 0 ? [] : [lentRules(lent)],
  };
}

function borrowed(path: readonly string[], value: string): SysctlItem {
  return { kind: 'sysctl', path, value, borrowed: true };
}

/** The bridge is the agent's own: nothing is given back. */
function forwarding(device: string): SysctlItem {
  return { kind: 'sysctl', path: forwardingPath(device), value: '1' };
}

function routeItem({ id, bridge }: BridgedNetwork, route: BridgedNetwork['routes'][number]): StaticRouteItem {
  const { cidr: destination, via: gateway, metric } = route;
  return {
    kind: 'static-route',
    ...{ of: id, link: bridge.name, destination, gateway },
    ...(metric !== undefined && { metric }),
  };
}
