/** What host0's own kernel says of a sender: the one source that a sender cannot write to. */
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { Network } from '../../model/network/network.ts';

export interface VerifiedSource {
  /** The neighbour entry of the sender's IPv6 on the mesh's bridge. */
  readonly mac?: Mac;
  /** Where the VXLAN device saw frames of that address come from. */
  readonly ipv4?: Ipv4;
}

export interface SourceVerification {
  /** Both are absent while the kernel knows nothing. */
  verify(network: Network, ipv6: Ipv6): Promise<VerifiedSource>;
}
