/** A VXLAN network on one node: what its device and its peers depend on. */
import type { Ip } from '../../../kernel/ip.ts';
import type { Mac } from '../../../model/address/mac.ts';
import type { Network } from '../../../model/network/network.ts';
import { type NodeAddresses, nodeAddresses } from '../../../model/network/node-addresses.ts';
import type { VxlanType } from '../../../model/network/types/vxlan.ts';
import type { ForeignLink } from '../../kernel/foreign-links.ts';
import { type BridgedNetwork, hasBridge } from '../bridged-network.ts';
import type { NetworkContext, NodeContext } from '../node-context.ts';

/** A VXLAN network, with this node's side of it. */
export interface VxlanContext {
  readonly network: BridgedNetwork;
  readonly type: VxlanType;
  readonly node: NodeContext;
  /** This node's addresses in the network. */
  readonly own: NodeAddresses;
  /** The Ethernet addresses of the guests behind ports of this node. */
  readonly guests: ReadonlySet<Mac>;
  /** The underlay device: the one that the network names, or the one that leads to host0. Absent while there is none. */
  readonly dev: ForeignLink | undefined;
}

/** The context of a network; undefined for one without a bridge, which has no VXLAN. */
export function vxlanContext(
  network: Network,
  type: VxlanType,
  node: NodeContext,
  { link: dev, ports }: Pick<NetworkContext, 'link' | 'ports'>,
): VxlanContext | undefined {
  if (!hasBridge(network)) return undefined;
  const guests = new Set(ports.flatMap(({ guest }) => guest?.mac ?? []));
  return { network, type, node, own: nodeAddresses(network, node.machine), guests, dev };
}

/**
 * The source of this node's VXLAN packets of a network. Without it, the kernel takes one for each packet that the receiver
 * may not be able to answer. Only host0's IPv4 networks have none: host0 uses on each segment its address there.
 */
export function sourceAddress({ type, node, dev }: VxlanContext): Ip | undefined {
  if (type.local !== undefined) return type.local;
  if (type.dev === undefined && type.underlay === 'ipv4') return node.local;
  return dev?.[type.underlay][0]?.address;
}
