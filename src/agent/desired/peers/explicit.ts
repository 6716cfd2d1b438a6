/** Explicit peers: flood entries to the remote VTEPs that the network lists. The VXLAN learns who is behind which. */
import type { Ip } from '../../../kernel/ip.ts';
import type { ExplicitPeers } from '../../../model/network/peers/explicit.ts';
import type { Part } from '../part.ts';
import { vtepItems } from './assigned.ts';
import { sourceElement } from './sources.ts';
import { sourceAddress, type VxlanContext } from './vxlan-context.ts';

/** The parts of the remote VTEPs. A node's own address, which is in the list of all nodes, is left out. */
export function explicitParts(context: VxlanContext, _: unknown, { vteps }: ExplicitPeers): Part[] {
  const { network, type, node } = context;
  const here: ReadonlySet<Ip> = node.here;
  const own = sourceAddress(context);
  return vteps
    .map(({ address }) => address)
    .filter((address) => address !== own && !here.has(address))
    .map((address) => ({
      key: `VTEP ${address} of ${type.device}`,
      inputs: [],
      build: () => ({ items: vtepItems(context, address, []), elements: [sourceElement(network, address)] }),
    }));
}
