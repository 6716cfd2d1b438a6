/** Networks of the type `vxlan`: a bridge with a VXLAN device as its port to the other nodes. */
import { type Ip, isIpv6 } from '../../../kernel/ip.ts';
import { isLinkLocal } from '../../../model/address/ipv6.ts';
import { isMesh } from '../../../model/network/mesh.ts';
import type { Network } from '../../../model/network/network.ts';
import type { NetworkId } from '../../../model/network/number.ts';
import type { VxlanType } from '../../../model/network/types/vxlan.ts';
import { MEMBERS_MAX } from '../../../protocol/documents/membership.ts';
import type { Item, ItemMap } from '../../items/item.ts';
import { linkKey } from '../../items/link.ts';
import { aliasOf } from '../../items/mark.ts';
import type { NetworkAttachment } from '../assignment.ts';
import { commonOfLinks } from '../link-common.ts';
import type { NetworkContext, NodeContext } from '../node-context.ts';
import type { Part } from '../part.ts';
import { portPart, portRulesPart, tapParts } from '../parts/port.ts';
import { seatParts } from '../parts/seat.ts';
import { knowsNeighbours } from '../peers/assigned.ts';
import { peersParts, sendersOfPeers, vxlanOfPeers } from '../peers/peers-parts.ts';
import { sourceAddress, type VxlanContext, vxlanContext } from '../peers/vxlan-context.ts';
import { senderRules } from '../rules/sender-rules.ts';
import { LEARNED_MAX, ownBridgeParts } from './bridge.ts';

/** A VXLAN has one limit for learnt entries and ours: one for each member, for host0, and the flood entry. */
const ENTRIES_MAX = LEARNED_MAX + MEMBERS_MAX + 2;

/** The parts of a network of this type. */
export function vxlanParts(attachment: NetworkAttachment, type: VxlanType, networkContext: NetworkContext): Part[] {
  const { node, ports, link, servicePort } = networkContext;
  const context = vxlanContext(attachment.network, type, node, { link, ports });
  const answers = knowsNeighbours(attachment.peers);
  if (context === undefined) return [];
  const { network, own } = context;
  return [
    ...ownBridgeParts(network, own, attachment.hostAddresses, networkContext),
    {
      key: 'vxlan',
      inputs: [network, node, link, answers],
      build: () => ({
        items: vxlanItems(context, answers),
        rules: [senderRules(network, type, sendersOfPeers(context), node.role)],
      }),
    },
    ...(isMesh(network) ? seatParts(network, node.leads) : []),
    ...peersParts(context, attachment.peers),
    portPart(network.id, network.bridge, ports, network.guests),
    ...tapParts(network, network.bridge.name, ports),
    portRulesPart(network, own, type.device, ports, servicePort),
  ];
}

/** The underlay link of a network: the one that it names, or the one that leads to host0. */
export function underlayLink({ dev, underlay }: VxlanType, node: NodeContext): string | undefined {
  // The source of IPv4 packets is that of the route to host0.
  return dev ?? (underlay === 'ipv6' ? node.underlay : undefined);
}

/**
 * The VXLAN device; nothing while the underlay device that the network names is absent.
 * @param answers whether the bridge answers guests for the guests behind the device, so that no request is flooded
 */
export function vxlanItems(context: VxlanContext, answers = false): Item[] {
  const { network, type, own, dev } = context;
  const local = sourceAddress(context);
  const isLearned = network.bridge.macTable === 'learned';
  if ((type.dev !== undefined && dev === undefined) || (type.underlay === 'ipv6' && local === undefined)) return [];
  return [
    {
      ...commonOfLinks(network),
      device: 'vxlan',
      name: type.device,
      mac: own.vtepMac,
      master: network.bridge.name,
      alias: aliasOf('vxlan', network.id),
      vxlan: {
        vni: type.vni,
        udpPort: type.udpPort,
        ...(local !== undefined && !isBeyondLink(network, local) && { local }),
        ...(type.dev !== undefined && { dev: type.dev }),
        ...(type.hopLimit !== undefined && { hopLimit: type.hopLimit }),
        ...vxlanOfPeers(network),
        // By learning, host0 finds a node that it does not know yet, and every node finds guests on members' bridges.
        learning: type.learning && isLearned,
        df: 'inherit',
        entriesMax: ENTRIES_MAX,
      },
      ...((!isLearned || answers) && {
        odd: { ...(!isLearned && { 'port learning': 0 }), ...(answers && { 'port neigh_suppress': 1 }) },
      }),
    },
  ];
}

/**
 * Whether the kernel refuses this source: a link-local one with a group of a wider scope than the link (vxlan_config_validate in
 * drivers/net/vxlan/vxlan_core.c). It then chooses the source for each packet, on the device of the network.
 */
function isBeyondLink({ peers }: Network, local: Ip): boolean {
  return peers?.kind === 'multicast' && isIpv6(local) && isLinkLocal(local) && !/^ff.2:/.test(peers.group);
}

/** The source of the VXLAN packets of a network, by the desired items; undefined where the kernel chooses one for each packet. */
export function vtepIn(items: ItemMap, network: NetworkId): Ip | undefined {
  const item = items.get(linkKey('vxlan', network));
  return item?.kind === 'link' ? item.vxlan?.local : undefined;
}
