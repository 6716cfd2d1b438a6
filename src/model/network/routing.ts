/** Where packets of a network may go beyond it. */
import type { Ipv4, Ipv4Cidr } from '../address/ipv4.ts';
import type { Ipv6, Ipv6Cidr } from '../address/ipv6.ts';

/** A subnet that nodes reach through an address in the network. */
export interface NetworkRoute {
  readonly cidr: Ipv4Cidr | Ipv6Cidr;
  readonly via: Ipv4 | Ipv6;
  readonly metric?: number;
}

/** All ways in which a network is joined to others, with what each lets through. */
export const ROUTING_MODES = [
  /** The host and the guests, and nobody else. */
  'isolated',
  /** Guests are routed under their own addresses. */
  'routed',
  /** Guests are hidden behind an address of their node. */
  'nat',
  /** Routed, without rules of Meshwork. */
  'open',
  /** No address and no rules: pure layer 2. */
  'none',
] as const;

/** A verdict about packets. */
export type RoutingVerdict = 'accept' | 'drop' | 'reject';

/** How a network is joined to others. */
export interface Routing {
  readonly mode: (typeof ROUTING_MODES)[number];
  /** The devices that lead out. Empty: any. */
  readonly via: readonly string[];
  /** What happens to packets into and out of the network that no rule names. Absent: as the mode says. */
  readonly policy?: { readonly in: RoutingVerdict; readonly out: RoutingVerdict };
  readonly rules: readonly RoutingRule[];
  readonly nat64?: { readonly prefix: Ipv6Cidr; readonly pool: Ipv4Cidr };
}

/** One rule about packets into or out of a network. The first that matches decides. */
export interface RoutingRule {
  readonly direction: 'in' | 'out';
  /** All that is named must be so. */
  readonly match: {
    readonly protocol?: 'tcp' | 'udp' | 'icmp' | 'icmpv6';
    readonly from?: Ipv4Cidr | Ipv6Cidr;
    readonly to?: Ipv4Cidr | Ipv6Cidr;
    /** Destination ports, first and last; TCP and UDP only. */
    readonly ports?: { readonly first: number; readonly last: number };
  };
  readonly verdict: RoutingVerdict;
  /** Where accepted packets are sent in place of their destination. */
  readonly forwardTo?: { readonly address: Ipv4 | Ipv6; readonly port?: number };
}
