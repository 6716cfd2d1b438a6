/**
 * A network: one layer-2 virtual network. All formats (`.conf` files, libvirt XML …) parse into this model and print from
 * it; controller and agent know no other.
 */
import type { Bridge } from './bridge.ts';
import type { NetworkDns } from './dns.ts';
import type { Bandwidth, NetworkGuests } from './guests.ts';
import type { HostAddress } from './host-address.ts';
import type { NetworkId, NetworkNumber } from './number.ts';
import type { Peers } from './peers/peers.ts';
import type { NetworkRoute, Routing } from './routing.ts';
import type { Subnet } from './subnet.ts';
import type { NetworkType } from './types/network-type.ts';

/** Where networks are defined: a `.conf` file, the store, libvirt, an order. The source may change its networks. */
export const NETWORK_SOURCES = ['file', 'store', 'libvirt', 'order'] as const;

/** The nodes that have a network. */
export type NetworkSpan =
  /** The nodes that have its `.conf` file. */
  | { readonly kind: 'file' }
  | { readonly kind: 'everywhere' }
  /** The nodes with a port or a service in it. */
  | { readonly kind: 'on-demand' }
  | { readonly kind: 'nodes'; readonly nodes: readonly string[] }
  | { readonly kind: 'roles'; readonly roles: readonly string[] };

/** A network as every part of Meshwork sees it. */
export interface Network {
  readonly id: NetworkId;
  readonly number: NetworkNumber;
  /** One word, unique in the cluster. */
  readonly name: string;
  readonly uuid?: string;
  /** Who ordered the network. */
  readonly owner?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly title?: string;
  readonly description?: string;
  /** Absent where no bridge carries the network (macvtap, hostdev). */
  readonly bridge?: Bridge;
  readonly type: NetworkType;
  /** How the VTEPs know each other; absent on networks without VTEPs. */
  readonly peers?: Peers;
  /** The largest packet in the network. */
  readonly mtuBytes: number;
  readonly hostAddress: HostAddress;
  readonly subnets: readonly Subnet[];
  readonly routes: readonly NetworkRoute[];
  readonly routing: Routing;
  readonly dns?: NetworkDns;
  readonly guests?: NetworkGuests;
  /** Whether guests reach each other over IPv6 where the network has no IPv6 subnet. Subnets of IPv6 need no such word. */
  readonly guestIpv6?: boolean;
  /** Limits of the whole bridge, as its guests see the direction. */
  readonly bandwidth?: { readonly in?: Bandwidth; readonly out?: Bandwidth };
  /** Further lines of dnsmasq's configuration, as they are. A line that dnsmasq does not know makes the start fail. */
  readonly dnsmasqOptions?: readonly string[];
  readonly span: NetworkSpan;
  readonly source: (typeof NETWORK_SOURCES)[number];
  /** By format: what it prints again and what has no effect. */
  readonly extra: Readonly<Record<string, unknown>>;
}
