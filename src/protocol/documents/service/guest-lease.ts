/** The addresses that DHCP has given to guests of a network. */
import type { Ipv4 } from '../../../model/address/ipv4.ts';
import type { Ipv6 } from '../../../model/address/ipv6.ts';
import type { Mac } from '../../../model/address/mac.ts';

/** One lease. */
export interface GuestLease {
  readonly address: Ipv4 | Ipv6;
  /** Absent for IPv6: there a guest tells its DUID alone. */
  readonly mac?: Mac;
  /** The guest's DUID (RFC 8415 §11), with IPv6. */
  readonly duid?: string;
  /** The name of its reservation, or the one that the guest tells. */
  readonly name?: string;
  /** Absent: the lease lasts for ever. */
  readonly expires?: string;
}

/** The leases of a network (`GET /v1/catalogue/{name}/leases`). */
export interface NetworkLeases {
  readonly leases: readonly (GuestLease & { readonly node: string })[];
  /** The nodes that serve, and do not tell. */
  readonly silent: readonly { readonly node: string; readonly why: string }[];
}
