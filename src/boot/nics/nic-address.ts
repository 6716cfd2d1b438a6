/** The IPv4 addresses of host0's NICs, and which of them host0 has allocated. Pure. */

import { host0AddressIn, type SubnetAllocation } from '../../controller/pools/subnet-book.ts';
import type { Address } from '../../kernel/rtnl/objects.ts';
import { type Ipv4, type Ipv4Cidr, ipv4InSubnet, ipv4Subnet } from '../../model/address/ipv4.ts';

/** An IPv4 address with the length of its prefix. */
export interface NicAddress {
  readonly ipv4: Ipv4;
  readonly length: number;
}

/** What the choice of addresses needs to know of an address of the kernel. */
export type LinkAddress = Pick<Address, 'family' | 'scope' | 'link' | 'address' | 'length'>;

/** The addresses of this machine; `LiveMirror` is one. */
export interface LinkAddresses {
  readonly addresses: Iterable<LinkAddress>;
  /** The ifindex of a device. */
  indexOf(device: string): number | undefined;
}

/** Whether machines can boot beside the address: a global IPv4 address whose subnet has room for another host. */
export function isUnderlay({ family, scope, length }: LinkAddress): boolean {
  return family === 4 && scope === 'global' && length <= 30;
}

/** Whether nodes can reach host0 at the address: a global IPv4 address, of any subnet. */
export function isNodeAddress({ family, scope }: LinkAddress): boolean {
  return family === 4 && scope === 'global';
}

/** The underlay addresses of a device; empty if the device does not exist. */
export function addressesOf(book: LinkAddresses, device: string): NicAddress[] {
  const index = book.indexOf(device);
  return [...book.addresses].flatMap((address) =>
    address.link === index && isUnderlay(address) ? [{ ipv4: address.address as Ipv4, length: address.length }] : [],
  );
}

/** The addresses without the one that host0 itself allocated: those that an administrator or another server gave. */
export function ownAddresses(addresses: readonly NicAddress[], allocation: SubnetAllocation | undefined): NicAddress[] {
  const allocated = allocation === undefined ? undefined : host0AddressIn(allocation.subnet);
  return addresses.filter(({ ipv4 }) => ipv4 !== allocated);
}

/** Whether one of the NIC's own addresses is in one of these subnets, to which another DHCP server gives addresses. */
export function isGuestIn(
  subnets: readonly Ipv4Cidr[],
  addresses: readonly NicAddress[],
  allocation: SubnetAllocation | undefined,
): boolean {
  const own = ownAddresses(addresses, allocation);
  return own.some(({ ipv4 }) => subnets.some((subnet) => ipv4InSubnet(ipv4, subnet)));
}

/** The subnets of this machine's IPv4 addresses, without those that host0 has allocated. */
export function subnetsHere(book: LinkAddresses, allocations: readonly SubnetAllocation[]): Ipv4Cidr[] {
  const allocated = new Set(allocations.map(({ subnet }) => host0AddressIn(subnet)));
  return [...book.addresses].flatMap(({ family, address, length }) =>
    family === 4 && !allocated.has(address as Ipv4) ? [ipv4Subnet(address as Ipv4, length)] : [],
  );
}
