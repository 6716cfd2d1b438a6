/** IP addresses of either family, between text and the bytes that the kernel uses. */
import { type Ipv4, ipv4FromBytes, ipv4ToBytes, parseIpv4Interface } from '../model/address/ipv4.ts';
import { type Ipv6, ipv6FromBytes, ipv6ToBytes, parseIpv6Interface } from '../model/address/ipv6.ts';
import { AF_INET, AF_INET6 } from './libc.ts';

/** An address of either family, in its canonical text. */
export type Ip = Ipv4 | Ipv6;

/** Tells the families apart by the colon: canonical IPv4 text has none. */
export function isIpv6(address: Ip): address is Ipv6 {
  return address.includes(':');
}

/** The address family number for socket addresses and netlink headers. */
export function addressFamily(address: Ip): typeof AF_INET | typeof AF_INET6 {
  return isIpv6(address) ? AF_INET6 : AF_INET;
}

/** 4 or 16 bytes, network byte order. */
export function ipToBytes(address: Ip): Uint8Array {
  return isIpv6(address) ? ipv6ToBytes(address) : ipv4ToBytes(address);
}

/**
 * Reads 4 or 16 bytes in network byte order.
 * @returns undefined for any other length
 */
export function ipFromBytes(bytes: Uint8Array): Ip | undefined {
  if (bytes.length === 4) return ipv4FromBytes(bytes);
  if (bytes.length === 16) return ipv6FromBytes(bytes);
  return undefined;
}

/**
 * Splits `address/length`, of either family.
 * @throws MESH_ADDRESS_INVALID
 */
export function parseInterface(text: string): { address: Ip; length: number } {
  return text.includes(':') ? parseIpv6Interface(text) : parseIpv4Interface(text);
}
