/**
 * The way out of the namespace in which a network is served: a device of its own on a NIC of the node, with the addresses that exist
 * once. So the node itself forwards nothing, and nothing of the node is reached this way. Only the active router has one.
 */
import type { Ip } from '../../../kernel/ip.ts';
import type { Ipv4, Ipv4Cidr } from '../../../model/address/ipv4.ts';
import type { Ipv6Cidr } from '../../../model/address/ipv6.ts';
import type { Mac } from '../../../model/address/mac.ts';
import type { Ipv4Row, PortRow } from '../../../model/network/services/nat44.ts';
import type { Translation } from '../../../services/tayga/tayga-conf.ts';

/** The name of the device inside the namespace. */
export const OUTER_LINK = 'outer';

/** Packets that leave under addresses of the router. */
export interface SourceNat {
  /** Where they come from. */
  readonly from: readonly string[];
  readonly to: Ipv4Row;
  /** The ports of TCP and UDP. Absent: any. */
  readonly ports?: PortRow;
}

/** Translation with the address outside that machines without one of their own share. */
export interface OuterTranslation extends Translation {
  readonly shared: Ipv4;
}

/** A way out. */
export interface OuterPlace {
  /** The NIC of the node. */
  readonly device: string;
  readonly mac: Mac;
  /** The addresses of the router outside, each with the length of the prefix of its subnet. */
  readonly addresses: readonly { readonly address: Ip; readonly length: number }[];
  /** The next routers, one for a family at most. Without one, only the subnets of the addresses are reached. */
  readonly gateways: readonly Ip[];
  /** Blocks of outer addresses of which those that nobody has must go nowhere: else they loop between this router and the next. */
  readonly blocks: readonly Ipv4Cidr[];
  /** The UDP ports of the VXLANs of the node's networks, each once: what guests send there goes nowhere. */
  readonly vxlanPorts: readonly number[];
  /** The IPv4 guests that share addresses of the router. */
  readonly sources: readonly SourceNat[];
  /** Subnets of guests that outside reaches, and that reach outside under their own addresses. */
  readonly routed: readonly (Ipv4Cidr | Ipv6Cidr)[];
  /** The addresses at which nodes serve the guests. Outside reaches nothing of them but pings. Absent: there are none. */
  readonly servers?: readonly Ip[];
  /** Absent: nothing is translated between IPv6 and IPv4. */
  readonly translation?: OuterTranslation;
}
