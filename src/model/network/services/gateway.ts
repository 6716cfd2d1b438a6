/** The gateways of a network: the addresses by which its IPv4 guests reach the active router. */
import { type Ipv4, type Ipv4Cidr, ipv4Length, ipv4Range, isIpv4 } from '../../address/ipv4.ts';
import type { Network } from '../network.ts';
import type { Subnet } from '../subnet.ts';

/** An address of a router with the length of its subnet. */
export interface Gateway {
  readonly address: Ipv4;
  readonly length: number;
}

/** A subnet with fewer addresses has none for a guest beside its gateway. */
const LENGTH_MAX = 30;

/**
 * The gateway of each IPv4 subnet of a network, also where no router has it yet: the `hostAddress` of the subnet, or its first
 * address. No guest and no DHCP server gets it.
 */
export function gatewaysOf({ subnets }: Pick<Network, 'subnets'>): readonly Gateway[] {
  return ipv4SubnetsOf({ subnets }).map(({ cidr, hostAddress }) => ({
    address: hostAddress !== undefined && isIpv4(hostAddress) ? hostAddress : ipv4Range(cidr).first,
    length: ipv4Length(cidr),
  }));
}

/** The IPv4 subnets of a network in which guests have a gateway. */
export function ipv4SubnetsOf({ subnets }: Pick<Network, 'subnets'>) {
  return subnets.flatMap(({ cidr, hostAddress }: Subnet) =>
    isIpv4Subnet(cidr) && ipv4Length(cidr) <= LENGTH_MAX ? [{ cidr, hostAddress }] : [],
  );
}

function isIpv4Subnet(cidr: Subnet['cidr']): cidr is Ipv4Cidr {
  return !cidr.includes(':');
}
