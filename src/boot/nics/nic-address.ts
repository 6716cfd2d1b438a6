/** The IPv4 addresses of host0's ports: by itself, of our giving, and as a guest of another server. Pure. */
import type { Address } from '../../kernel/rtnl/objects.ts';
import { type Ipv4, type Ipv4Cidr, ipv4InSubnet, ipv4Subnet } from '../../model/address/ipv4.ts';
import { type Allocation, host0AddressIn } from './subnet-book.ts';

export interface NicAddress {
  readonly ipv4: Ipv4;
  readonly length: number;
}

export type LinkAddress = Pick<Address, 'family' | 'scope' | 'link' | 'address' | 'length'>;

export interface AddressBook {
  readonly addresses: Iterable<LinkAddress>;
  indexOf(device: string): number | undefined;
}

/** One with room for somebody else in its subnet. */
export function isUnderlay({ family, scope, length }: LinkAddress): boolean {
  return family === 4 && scope === 'global' && length <= 30;
}

export function addressesOf(book: AddressBook, device: string): NicAddress[] {
  const index = book.indexOf(device);
  return [...book.addresses].flatMap((address) =>
    address.link === index && isUnderlay(address) ? [{ ipv4: address.address as Ipv4, length: address.length }] : [],
  );
}

/** Those that are not of our giving. */
export function ownAddresses(addresses: readonly NicAddress[], allocation: Allocation | undefined): NicAddress[] {
  const ours = allocation === undefined ? undefined : host0AddressIn(allocation.subnet);
  return addresses.filter(({ ipv4 }) => ipv4 !== ours);
}

/** Whether one of a port's own addresses is in a subnet of another server. */
export function isGuestIn(
  subnets: readonly Ipv4Cidr[],
  addresses: readonly NicAddress[],
  allocation: Allocation | undefined,
): boolean {
  const own = ownAddresses(addresses, allocation);
  return own.some(({ ipv4 }) => subnets.some((subnet) => ipv4InSubnet(ipv4, subnet)));
}

/** The subnets that this machine is in by itself. */
export function subnetsHere(book: AddressBook, allocations: readonly Allocation[]): Ipv4Cidr[] {
  const ours = new Set(allocations.map(({ subnet }) => host0AddressIn(subnet)));
  return [...book.addresses].flatMap(({ family, address, length }) =>
    family === 4 && !ours.has(address as Ipv4) ? [ipv4Subnet(address as Ipv4, length)] : [],
  );
}
