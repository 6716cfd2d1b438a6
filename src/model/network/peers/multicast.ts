/** Peers `multicast`: nodes send to a group of the underlay, and learn from the answers (RFC 7348 §4.2). */
import type { Ipv4 } from '../../address/ipv4.ts';
import type { Ipv6 } from '../../address/ipv6.ts';

/** Nobody lists the nodes: whoever hears the group takes part. The VXLAN device must name its underlay device. */
export interface MulticastPeers {
  readonly kind: 'multicast';
  readonly group: Ipv4 | Ipv6;
}
