/** DNS64: guests are told IPv6 addresses of hosts that have IPv4 alone, behind the NAT64 of their network (RFC 6147). */
import { IpShape, Ipv6CidrShape } from '../../address/address-shapes.ts';
import type { Ipv4 } from '../../address/ipv4.ts';
import type { Ipv6, Ipv6Cidr } from '../../address/ipv6.ts';
import * as form from '../../form.ts';
import { SERVICE_NODES, type ServiceNodes } from './service-nodes.ts';

/** What is wanted of DNS64. It is at the same address on each active router: `::6464` of the first /64 of the network. */
export interface Dns64Service extends ServiceNodes {
  readonly kind: 'dns64';
  /** The /96 of the network's NAT64. */
  readonly prefix: Ipv6Cidr;
  /** The resolvers that it asks. Empty: it asks the servers of the domains itself. */
  readonly forwarders: readonly (Ipv4 | Ipv6)[];
}

const FORWARDERS_MAX = 8;

/** The form of the service in documents. */
export const Dns64ServiceShape = form.object({
  kind: form.literal('dns64'),
  ...SERVICE_NODES,
  prefix: Ipv6CidrShape,
  forwarders: form.defaulted(form.listOf(IpShape, FORWARDERS_MAX), []),
});
