/** Where packets of a network may go beyond it. */
import { CidrShape, IpShape, Ipv4CidrShape, Ipv4Shape, Ipv6CidrShape } from '../address/address-shapes.ts';
import { type Ipv4, type Ipv4Cidr, ipv4ToNumber } from '../address/ipv4.ts';
import type { Ipv6, Ipv6Cidr } from '../address/ipv6.ts';
import * as form from '../form.ts';
import { DeviceShape, LineShape, NETWORK_LIST_MAX, PortNumberShape } from './words.ts';

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
  /** How guests are hidden; only with the mode `nat`. Absent: IPv4 guests, behind the address of the device that leads out. */
  readonly nat?: NatSettings;
}

/** What guests show outside in place of their addresses. */
export interface NatSettings {
  /** The IPv4 addresses that guests share, the lowest one first. */
  readonly addresses?: { readonly first: Ipv4; readonly last: Ipv4 };
  /** The ports of TCP and UDP that guests share. Absent: 1024 to 65535. */
  readonly ports?: { readonly first: number; readonly last: number };
  /** Whether IPv6 guests are hidden, too. Absent: they are routed. */
  readonly ipv6?: boolean;
}

/** One rule about packets into or out of a network. The first that matches decides. */
export interface RoutingRule {
  readonly direction: 'in' | 'out';
  /** All that is named must be so. */
  readonly match: {
    readonly protocol?: 'tcp' | 'udp' | 'icmp' | 'icmpv6';
    readonly from?: Ipv4Cidr | Ipv6Cidr;
    readonly to?: Ipv4Cidr | Ipv6Cidr;
    /** Destination ports outside, first and last. Without a protocol, those of TCP and of UDP. */
    readonly ports?: { readonly first: number; readonly last: number };
  };
  readonly verdict: RoutingVerdict;
  /** Where accepted packets are sent in place of their destination. */
  readonly forwardTo?: ForwardTarget;
}

/** Where a port leads to. Absent: the port is the same inside as outside. */
export type ForwardTarget =
  | { readonly address: Ipv4 | Ipv6; readonly port?: number }
  /** The owner of a port, or the name of a reservation or of a lease. Until there is one, the rule waits. */
  | { readonly guest: string; readonly port?: number };

const PortsShape = form.object({ first: PortNumberShape, last: PortNumberShape });

const NatShape: form.Shape<NatSettings> = form.object({
  addresses: form.exactOptional(
    form.worded(
      form.refined(
        form.object({ first: Ipv4Shape, last: Ipv4Shape }),
        ({ first, last }) => ipv4ToNumber(first) <= ipv4ToNumber(last),
      ),
      'Two IPv4 addresses, the lowest one first.',
    ),
  ),
  ports: form.exactOptional(
    form.worded(
      form.refined(PortsShape, ({ first, last }) => first <= last),
      'Ports from 1 to 65535, the lowest one first.',
    ),
  ),
  ipv6: form.exactOptional(form.boolean()),
});

const ForwardTargetShape: form.Shape<ForwardTarget> = form.worded(
  form.union([
    form.object({ address: IpShape, port: form.exactOptional(PortNumberShape) }),
    form.object({ guest: LineShape, port: form.exactOptional(PortNumberShape) }),
  ]),
  'An address, or the name of a guest, with or without a port.',
);

const VerdictShape: form.Shape<RoutingVerdict> = form.oneOf(['accept', 'drop', 'reject']);

const RuleShape: form.Shape<RoutingRule> = form.object({
  direction: form.oneOf(['in', 'out']),
  match: form.object({
    protocol: form.exactOptional(form.oneOf(['tcp', 'udp', 'icmp', 'icmpv6'])),
    from: form.exactOptional(CidrShape),
    to: form.exactOptional(CidrShape),
    ports: form.exactOptional(PortsShape),
  }),
  verdict: VerdictShape,
  forwardTo: form.exactOptional(ForwardTargetShape),
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
  nat: form.exactOptional(NatShape),
});
