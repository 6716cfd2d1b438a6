/** Where packets of a network may go beyond it. */
import { CidrShape, IpShape, Ipv4CidrShape, Ipv6CidrShape } from '../address/address-shapes.ts';
import type { Ipv4, Ipv4Cidr } from '../address/ipv4.ts';
import type { Ipv6, Ipv6Cidr } from '../address/ipv6.ts';
import * as form from '../form.ts';
import { DeviceShape, NETWORK_LIST_MAX, PortNumberShape } from './words.ts';

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

const VerdictShape: form.Shape<RoutingVerdict> = form.oneOf(['accept', 'drop', 'reject']);

const RuleShape: form.Shape<RoutingRule> = form.object({
  direction: form.oneOf(['in', 'out']),
  match: form.object({
    protocol: form.exactOptional(form.oneOf(['tcp', 'udp', 'icmp', 'icmpv6'])),
    from: form.exactOptional(CidrShape),
    to: form.exactOptional(CidrShape),
    ports: form.exactOptional(form.object({ first: PortNumberShape, last: PortNumberShape })),
  }),
  verdict: VerdictShape,
  forwardTo: form.exactOptional(form.object({ address: IpShape, port: form.exactOptional(PortNumberShape) })),
});

/** The form of a route in documents. */
export const NetworkRouteShape: form.Shape<NetworkRoute> = form.object({
  cidr: CidrShape,
  via: IpShape,
  metric: form.exactOptional(form.int(0, 0xffffffff)),
});

/** The form of routing in documents. */
export const RoutingShape: form.Shape<Routing> = form.object({
  mode: form.oneOf(ROUTING_MODES),
  via: form.defaulted(form.listOf(DeviceShape, NETWORK_LIST_MAX), []),
  policy: form.exactOptional(form.object({ in: VerdictShape, out: VerdictShape })),
  rules: form.defaulted(form.listOf(RuleShape, NETWORK_LIST_MAX), []),
  nat64: form.exactOptional(form.object({ prefix: Ipv6CidrShape, pool: Ipv4CidrShape })),
});
