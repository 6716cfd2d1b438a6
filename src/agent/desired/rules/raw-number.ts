/**
 * Addresses as numbers, for places of a packet that nft 1.0 has no name for, such as the target of a neighbour advertisement: they
 * are compared as bits, in a set of numbers.
 */
import { type Ipv6, ipv6ToBytes } from '../../../model/address/ipv6.ts';
import type { Mac } from '../../../model/address/mac.ts';

/** An IPv6 address as a number. */
export function addressNumber(address: Ipv6): string {
  return `0x${Buffer.from(ipv6ToBytes(address)).toString('hex').replace(/^0+/, '')}`;
}

/** An Ethernet address as a number. */
export function macNumber(mac: Mac): string {
  return `0x${mac.replaceAll(':', '').replace(/^0+/, '')}`;
}
