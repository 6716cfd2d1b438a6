/** DHCP and DNS of a network as host0 gives them to the nodes that serve: all have the same documents, and each finds its own share. */
import type { Ipv4, Ipv4Cidr } from '../../../model/address/ipv4.ts';
import type { Ipv6, Ipv6Cidr } from '../../../model/address/ipv6.ts';
import type { MachineWord } from '../../../model/machine.ts';
import type { NetworkDns } from '../../../model/network/dns.ts';
import type { AddressRange } from '../../../model/network/services/address-range.ts';
import type { Reservation4 } from '../../../model/network/services/dhcp4.ts';
import type { Reservation6 } from '../../../model/network/services/dhcp6.ts';

/** What one node serves. */
export interface Dhcp4Server {
  readonly machine: MachineWord;
  /** The node's own address in the subnet. */
  readonly address: Ipv4;
  /** From here no other node gives. */
  readonly ranges: readonly AddressRange<Ipv4>[];
}

/** DHCP for IPv4. */
export interface AssignedDhcp4 {
  readonly kind: 'dhcp4';
  /** The same for the same content: a state is about exactly this content. */
  readonly id: string;
  /** Absent: the network has none any more, and nobody serves. */
  readonly subnet?: Ipv4Cidr;
  readonly servers: readonly Dhcp4Server[];
  /** The reservations, with those of the network's ports. */
  readonly hosts: readonly Reservation4[];
  readonly leaseSec: number;
  readonly routers: readonly Ipv4[];
  /** Absent: the nodes that serve DNS. */
  readonly resolvers?: readonly Ipv4[];
  readonly domain?: string;
  readonly mtuBytes: number;
}

/** What one node serves. */
export interface Dhcp6Server {
  readonly machine: MachineWord;
  /** The node's own address in the prefix. */
  readonly address: Ipv6;
  readonly ranges: readonly AddressRange<Ipv6>[];
}

/** DHCP for IPv6. */
export interface AssignedDhcp6 {
  readonly kind: 'dhcp6';
  readonly id: string;
  /** Absent: the network has no /64 any more, and nobody serves. */
  readonly prefix?: Ipv6Cidr;
  readonly mode: 'stateful' | 'stateless';
  readonly servers: readonly Dhcp6Server[];
  readonly hosts: readonly Reservation6[];
  readonly leaseSec: number;
  /** Absent: the nodes that serve DNS. */
  readonly resolvers?: readonly Ipv6[];
  readonly domain?: string;
}

/** DNS. Its hosts are those of the service, and the guests and reservations of the network. */
export interface AssignedDns extends NetworkDns {
  readonly kind: 'dns';
  readonly id: string;
  readonly localOnly: boolean;
  /** The nodes' own addresses in the network's /64. Empty: it has none. */
  readonly servers: readonly { readonly machine: MachineWord; readonly address: Ipv6 }[];
  /** Where `servers` are. */
  readonly prefix?: Ipv6Cidr;
}

/** What one dnsmasq serves on a node. */
export type DnsmasqService = AssignedDhcp4 | AssignedDhcp6 | AssignedDns;
