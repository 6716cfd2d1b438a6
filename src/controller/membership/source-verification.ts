/** Source verification: what host0's own kernel knows of a sender. The sender cannot forge it. */
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { Mesh } from '../../model/network/mesh.ts';

/** The addresses of a sender beside its IPv6. */
export interface VerifiedSource {
  /** From the neighbour entry of the sender's IPv6 on the mesh's bridge. */
  readonly mac?: Mac;
  /** From the FDB entry of that MAC: the remote VTEP, which the VXLAN device learnt from the sender's frames. */
  readonly ipv4?: Ipv4;
  /**
   * From the entry of that MAC in the bridge's table: the port of host0's own bridge that the frames came in by, if this is
   * not the VXLAN. The sender is then a guest on host0, and `ipv4` is absent: the VXLAN's entry says nothing of these frames.
   */
  readonly localPort?: string;
}

/** Implemented in api/membership/source-verification.ts with rtnetlink. */
export interface SourceVerification {
  /** An address is absent while the kernel does not know it. */
  verify(network: Mesh, ipv6: Ipv6): Promise<VerifiedSource>;
}
