/** The senders whose VXLAN packets the rules take, as elements of a set of the table `inet meshwork`. */
import type { Ip } from '../../../kernel/ip.ts';
import type { Network } from '../../../model/network/network.ts';
import type { SetElement } from '../part.ts';
import { sourceSet } from '../rules/sender-rules.ts';

/** The rules accept VXLAN packets of the network from this address. */
export function sourceElement(network: Network, source: Ip): SetElement {
  return { set: sourceSet(network), element: source };
}
