/** What a network that this node routes needs of it: rules, routes, and forwarding on its bridge and on the links that lead out. */
import type { HostInterface } from '../../../model/network/host-address.ts';
import type { NodeAttachment } from '../../../protocol/documents/node-assignment.ts';
import type { Item } from '../../items/item.ts';
import { isNftName } from '../../items/nft-text.ts';
import type { StaticRouteItem } from '../../items/routing/static-route.ts';
import type { SysctlItem } from '../../items/sysctl.ts';
import type { ForeignLink } from '../../kernel/foreign-links.ts';
import { type BridgedNetwork, hasBridge } from '../bridged-network.ts';
import type { NetworkContext } from '../node-context.ts';
import type { Part } from '../part.ts';
import type { GuestAddresses } from '../rules/routed-here.ts';
import { isRouted, routingRules } from '../rules/routing-rules.ts';

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
  const { vxlanPorts } = node;
  parts.push(
    {
      key: 'routing',
      inputs: [network, guests, vxlanPorts],
      build: () => ({ rules: [routingRules({ network, guests, vxlanPorts })] }),
    },
    { key: 'forwarding', inputs: [network], build: () => ({ items: [forwarding(network.bridge.name)] }) },
  );
  return parts;
}

/**
 * Forwarding on the links that lead out of the routed networks of this node. The kernel asks of IPv4 whether the link on which a packet came
 * in forwards, so other links stay as they are. IPv6 knows the machine as a whole. A machine that forwards takes no router
 * advertisements, unless it is told to.
 */
export function uplinksPart(attachments: readonly NodeAttachment[], links: readonly ForeignLink[]): Part {
  return { key: 'uplinks', inputs: [attachments, links], build: () => ({ items: uplinkItems(attachments, links) }) };
}

function uplinkItems(attachments: readonly NodeAttachment[], links: readonly ForeignLink[]): Item[] {
  const routed = attachments.flatMap(({ network, hostAddresses = [] }) =>
    hostAddresses.length > 0 && hasBridge(network) && isRouted(network, hostAddresses)
      ? [{ via: network.routing.via, hostAddresses }]
      : [],
  );
  if (routed.length === 0) return [];
  const anyLink = routed.some(({ via }) => via.length === 0);
  const leadsOut = new Set(routed.flatMap(({ via }) => via));
  const fours = links.filter(
    ({ device, ipv4 }) => isNftName(device) && (leadsOut.has(device) || (anyLink && ipv4.length > 0)),
  );
  const hasIpv6 = routed.some(({ hostAddresses }) => hostAddresses.some(({ address }) => address.includes(':')));
  const hearing = hasIpv6 ? links.filter(({ hearsRouters }) => hearsRouters) : [];
  return [
    ...fours.map(({ device }) => forwarding(device)),
    ...hearing.map(({ device }): SysctlItem => {
      return { kind: 'sysctl', path: ['net', 'ipv6', 'conf', device, 'accept_ra'], value: '2' };
    }),
    ...(hasIpv6
      ? [{ kind: 'sysctl', path: ['net', 'ipv6', 'conf', 'all', 'forwarding'], value: '1', late: true } as const]
      : []),
  ];
}

function forwarding(device: string): SysctlItem {
  return { kind: 'sysctl', path: ['net', 'ipv4', 'conf', device, 'forwarding'], value: '1' };
}

function routeItem({ id, bridge }: BridgedNetwork, route: BridgedNetwork['routes'][number]): StaticRouteItem {
  const { cidr: destination, via: gateway, metric } = route;
  return {
    kind: 'static-route',
    ...{ of: id, link: bridge.name, destination, gateway },
    ...(metric !== undefined && { metric }),
  };
}
