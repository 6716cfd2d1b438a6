/** Arithmetic that is the same for both families of IP: addresses as numbers, and subnets as ranges of such numbers. */
import { type Ipv4, type Ipv4Cidr, ipv4FromNumber, ipv4ToNumber, isIpv4, parseIpv4Interface } from './ipv4.ts';
import { type Ipv6, type Ipv6Cidr, ipv6FromBigint, ipv6ToBytes, parseIpv6Interface } from './ipv6.ts';

/** A subnet as numbers. */
export interface IpRange {
  readonly family: 'ipv4' | 'ipv6';
  /** The lengths of an address and of the prefix, in bits. */
  readonly bits: 32 | 128;
  readonly length: number;
  readonly first: bigint;
  readonly last: bigint;
}

/** An address as a number. */
export function ipToBigint(address: Ipv4 | Ipv6): bigint {
  if (isIpv4(address)) return BigInt(ipv4ToNumber(address));
  return BigInt(`0x${Buffer.from(ipv6ToBytes(address)).toString('hex')}`);
}

/** The inverse of `ipToBigint`. */
export function ipFromBigint(value: bigint, family: IpRange['family']): Ipv4 | Ipv6 {
  return family === 'ipv4' ? ipv4FromNumber(Number(value)) : ipv6FromBigint(value);
}

/** The range of a subnet, or of an address with a prefix length: host bits are cleared. */
export function ipRange(cidr: Ipv4Cidr | Ipv6Cidr | string): IpRange {
  const family = cidr.includes(':') ? 'ipv6' : 'ipv4';
  const bits = family === 'ipv6' ? 128 : 32;
  const { address, length } = family === 'ipv6' ? parseIpv6Interface(cidr) : parseIpv4Interface(cidr);
  const hosts = 1n << BigInt(bits - length);
  const first = (ipToBigint(address) / hosts) * hosts;
  return { family, bits, length, first, last: first + hosts - 1n };
}

/** Whether two ranges have an address in common. */
export function rangesOverlap(a: IpRange, b: IpRange): boolean {
  return a.family === b.family && a.first <= b.last && b.first <= a.last;
}

/** Whether a range has all addresses of another. */
export function rangeHolds(outer: IpRange, inner: IpRange): boolean {
  return outer.family === inner.family && outer.first <= inner.first && inner.last <= outer.last;
}
