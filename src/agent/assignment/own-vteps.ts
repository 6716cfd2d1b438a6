/** Where this node's VTEPs are, as far as host0 does not see that itself. */
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Network } from '../../model/network/network.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { NodeAttachment, NodeStatus } from '../../protocol/documents/node-assignment.ts';

/** The VTEPs that are elsewhere than at the node's IPv4 address towards host0, which host0 knows. */
export function vtepsOf(
  attachments: readonly NodeAttachment[],
  vtepOf: (network: Network) => Ipv4 | Ipv6 | undefined,
): Pick<NodeStatus, 'vteps'> {
  const vteps: Record<NetworkId, Ipv4 | Ipv6> = {};
  for (const { network, peers } of attachments) {
    const { type } = network;
    if (peers.kind !== 'assigned' || type.kind !== 'vxlan') continue;
    const isSeen = type.underlay === 'ipv4' && type.dev === undefined && type.local === undefined;
    const vtep = isSeen ? undefined : vtepOf(network);
    if (vtep !== undefined) vteps[network.id] = vtep;
  }
  return Object.keys(vteps).length === 0 ? {} : { vteps };
}
