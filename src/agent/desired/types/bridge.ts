/** Networks of the type `bridge`: a bridge of this node alone. */
import { isIpv6 } from '../../../kernel/ip.ts';
import type { Bridge } from '../../../model/network/bridge.ts';
import type { HostInterface } from '../../../model/network/host-address.ts';
import { type NodeAddresses, nodeAddresses } from '../../../model/network/node-addresses.ts';
import { MEMBERS_MAX } from '../../../protocol/documents/membership.ts';
import type { Item } from '../../items/item.ts';
import type { LinkItem } from '../../items/link.ts';
import { aliasOf } from '../../items/mark.ts';
import type { NetworkAttachment } from '../assignment.ts';
import { type BridgedNetwork, hasBridge } from '../bridged-network.ts';
import { commonOfLinks } from '../link-common.ts';
import type { NetworkContext } from '../node-context.ts';
import type { Part, SetElement } from '../part.ts';
import { portPart, portRulesPart, tapParts } from '../parts/port.ts';
import { routingParts } from '../parts/routing.ts';
import { guardOf, ownGuard } from '../rules/address-guard.ts';
import { bandwidthRules } from '../rules/bandwidth-rules.ts';
import { hostAddressRules } from '../rules/host-address-rules.ts';
import { ownBridgeRules } from '../rules/own-bridge-rules.ts';
import { isRouted } from '../rules/routing/routing-rules.ts';

/**
 * FDB entries that one network learns on one node: three guests beside each member of the largest mesh. A sender that
 * makes up Ethernet addresses leaves 12,288 entries in each table, 6 MB of the kernel's memory, and not 200,000.
 */
export const LEARNED_MAX = 3 * MEMBERS_MAX;

/** The parts of a network of this type. */
export function bridgeParts(
  { network, hostAddresses }: NetworkAttachment,
  _: unknown,
  context: NetworkContext,
): Part[] {
  if (!hasBridge(network)) return [];
  const { node, ports, servicePort } = context;
  const own = nodeAddresses(network, node.machine);
  return [
    ...ownBridgeParts(network, own, hostAddresses, context),
    portPart(network.id, network.bridge, ports, network.guests),
    ...tapParts(network, network.bridge.name, ports),
    portRulesPart(network, own, undefined, ports, servicePort),
  ];
}

/**
 * The bridge with this node's addresses on it. Without ports, there are no rules that ask for this node's own addresses.
 * @param given those that host0 chose
 */
export function ownBridgeParts(
  network: BridgedNetwork,
  own: NodeAddresses,
  given: readonly HostInterface[] | undefined,
  context: Pick<NetworkContext, 'node' | 'ports' | 'guests'>,
): Part[] {
  const hasPorts = context.ports.length > 0;
  const routed = isRouted(network, given);
  const guarded = (elements: () => SetElement[]) => (hasPorts ? { elements: elements() } : {});
  const limits = network.bandwidth === undefined ? [] : [bandwidthRules(network)];
  const parts: Part[] = [
    {
      key: 'bridge',
      inputs: [network, routed],
      build: () => ({ items: [bridgeItem(network, own)], rules: [ownBridgeRules(network, own, routed), ...limits] }),
    },
    {
      key: 'addresses',
      inputs: [network, hasPorts],
      build: () => ({ items: addressItems(network, own), ...guarded(() => ownGuard(network, own)) }),
    },
  ];
  if (given === undefined) return parts;
  const sixes = given.flatMap(({ address }) => (isIpv6(address) ? [address] : []));
  parts.push({
    key: 'given addresses',
    inputs: [network, given, hasPorts],
    build: () => ({
      items: given.map((one) => givenItem(network, one)),
      rules: [hostAddressRules(network, given)],
      ...guarded(() => guardOf(network, [], sixes)),
    }),
  });
  return [...parts, ...routingParts(network, given, context)];
}

/** The bridge of a network. */
export function bridgeItem(network: BridgedNetwork, own: NodeAddresses): Item {
  return {
    ...commonOfLinks(network),
    device: 'bridge',
    name: network.bridge.name,
    mac: own.bridgeMac,
    master: '',
    alias: aliasOf('bridge', network.id),
    learnedMax: LEARNED_MAX,
    // An LLDP frame with the Ethernet address of a member would move the member's entry, past all our rules.
    learnsLinkLocal: false,
    ...bridgeOptions(network.bridge),
  };
}

/** With a spanning tree, Linux waits at least so long in each of the two states before a port forwards (BR_MIN_FORWARD_DELAY). */
const FORWARD_DELAY_MIN_SEC = 2;

/** The options of a bridge that are not as the kernel makes them. Without a spanning tree a port forwards at once, whatever the delay. */
function bridgeOptions({ stp, forwardDelaySec }: Bridge): Pick<LinkItem, 'odd' | 'forwardDelaySec'> {
  if (stp) return { odd: { 'bridge stp_state': 1 }, forwardDelaySec: Math.max(forwardDelaySec, FORWARD_DELAY_MIN_SEC) };
  return forwardDelaySec === 0 ? {} : { forwardDelaySec };
}

/** An address that host0 chose. It carries our mark, as addresses of other programs may be beside it. */
function givenItem({ id: network, bridge }: BridgedNetwork, { address, length }: HostInterface): Item {
  return { kind: 'address', network, link: bridge.name, address, length, marked: true };
}

/** This node's addresses on the bridge: in a mesh the one in the mesh's prefix, and the link-local one everywhere. */
export function addressItems({ id: network, bridge }: BridgedNetwork, own: NodeAddresses): Item[] {
  const addresses = own.ipv6 === undefined ? [own.linkLocal] : [own.ipv6, own.linkLocal];
  return addresses.map((address) => ({ kind: 'address', network, link: bridge.name, address, length: 64 }));
}
