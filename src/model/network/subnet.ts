/** The subnets of a network, with what serves the addresses in them. */
import type { Ipv4, Ipv4Cidr } from '../address/ipv4.ts';
import type { Ipv6, Ipv6Cidr } from '../address/ipv6.ts';
import type { Mac } from '../address/mac.ts';

/** One subnet of a network. */
export interface Subnet {
  readonly cidr: Ipv4Cidr | Ipv6Cidr;
  /** The address of the home node in the subnet. */
  readonly hostAddress?: Ipv4 | Ipv6;
  readonly dhcp?: SubnetDhcp;
  /** Whether routers advertise the subnet (RFC 4861). */
  readonly ra?: boolean;
  /** Whether reverse look-ups of addresses in the subnet are answered here, and never forwarded. */
  readonly localPtr?: boolean;
  readonly tftp?: { readonly root: string };
}

/** What DHCP gives in a subnet. */
export interface SubnetDhcp {
  /** Dynamic addresses, from first to last. */
  readonly ranges: readonly { readonly first: Ipv4 | Ipv6; readonly last: Ipv4 | Ipv6 }[];
  readonly hosts: readonly DhcpHost[];
  readonly leaseSec?: number;
  /** Further options by their number (RFC 2132, RFC 8415), with the text of their value. */
  readonly options: readonly { readonly number: number; readonly value: string }[];
  /** The boot file that DHCP names, and the server that has it. */
  readonly bootp?: { readonly file: string; readonly server?: string };
}

/** A reservation: a guest with this Ethernet address or client id gets this address or name. */
export interface DhcpHost {
  readonly mac?: Mac;
  /** The client's DUID (RFC 8415 §11) or client identifier. */
  readonly id?: string;
  readonly name?: string;
  readonly address?: Ipv4 | Ipv6;
}
