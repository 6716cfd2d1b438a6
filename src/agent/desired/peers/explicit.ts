/** Explicit peers: flood entries to the remote VTEPs that the network lists. The VXLAN learns who is behind which. */
import type { Ip } from '../../../kernel/ip.ts';
import type { ExplicitPeers } from '../../../model/network/peers/explicit.ts';
import type { Part } from '../part.ts';
import { floodItem } from './assigned.ts';
import { sourceElement } from './sources.ts';
import { sourceAddress, type VxlanContext } from './vxlan-context.ts';

/** The parts of the remote VTEPs. A node's own address, which is in the list of all nodes, is left out. */
export function explicitParts(context: VxlanContext, _: unknown, { vteps }: ExplicitPeers): Part[] {
  const { network, type, node } = context;
  const here: ReadonlySet<Ip> = node.here;
  const own = sourceAddress(context);
  return vteps
    .filter(({ address }) => address !== own && !here.has(address))
    .map(({ address, port = type.udpPort }) => ({
      key: `VTEP ${address} port ${port} of ${type.device}`,
      inputs: [type.udpPort],
      build: () => ({
        items: [floodItem(context, address, port === type.udpPort ? undefined : port)],
        elements: [sourceElement(network, address)],
      }),
    }));
}
