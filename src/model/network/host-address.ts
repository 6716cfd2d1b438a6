/** Host addresses: which nodes have an address of their own on the bridge of a network. */
import type { Ipv6Cidr } from '../address/ipv6.ts';

/** Each member has an IPv6 address in one /64, derived from its machine id (`memberAddresses`). */
export interface DerivedHostAddress {
  readonly kind: 'derived';
  /** The seed's `key`, in canonical decimal: addresses are derived from its text. */
  readonly key: string;
  /** The IPv6 /64 that members take their addresses from. */
  readonly prefix: Ipv6Cidr;
}

/** Who has an address on the bridge. */
export type HostAddress =
  | DerivedHostAddress
  /** The home node has the `hostAddress` of each subnet. */
  | { readonly kind: 'given' }
  /** Each node that serves the network has an address of its own in each subnet, which host0 allocates. */
  | { readonly kind: 'per-node' }
  /** Nobody: the bridge has its link-local address alone. */
  | { readonly kind: 'none' };
