/** The IPv6 addresses that a machine uses outside of its meshes. */
import type { Ipv6Cidr } from '../address/ipv6.ts';

/** A subnet that a route leads to, or an address as /128. */
export interface UnderlayPrefix {
  readonly prefix: Ipv6Cidr;
  /** The link of the route, or of the address. */
  readonly device: string;
}
