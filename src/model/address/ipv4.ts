/** IPv4 addresses and subnets: branded canonical text, and their arithmetic. */
import { MeshError } from '../error.ts';

/** A dotted quad without leading zeros, as `parseIpv4` gives it. */
export type Ipv4 = string & { readonly __brand: 'Ipv4' };
/** `a.b.c.d/n` with no host bits set. */
export type Ipv4Cidr = string & { readonly __brand: 'Ipv4Cidr' };

const OCTET = '(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])';
const IPV4 = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`);

/** Whether a text is four decimal numbers without leading zeros. */
export function isIpv4(text: string): text is Ipv4 {
  return IPV4.test(text);
}

/**
 * An IPv4 address from text.
 * @throws MESH_ADDRESS_INVALID
 */
export function parseIpv4(text: string): Ipv4 {
  if (isIpv4(text)) return text;
  throw new MeshError('MESH_ADDRESS_INVALID', `${JSON.stringify(text)} is not an IPv4 address`, {
    remedy: 'Write four numbers from 0 to 255 with dots between them, as in 10.11.0.1.',
  });
}

const DOT = '.'.charCodeAt(0);
const ZERO = '0'.charCodeAt(0);

/** The address as an unsigned 32-bit number, network byte order. */
export function ipv4ToNumber(address: Ipv4): number {
  let value = 0;
  let octet = 0;
  for (let i = 0; i < address.length; i++) {
    const code = address.charCodeAt(i);
    if (code === DOT) {
      value = value * 256 + octet;
      octet = 0;
    } else octet = octet * 10 + code - ZERO;
  }
  return value * 256 + octet;
}

/** The inverse of `ipv4ToNumber`; a signed 32-bit number is taken, too. */
export function ipv4FromNumber(value: number): Ipv4 {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255].join('.') as Ipv4;
}

/** The address in 4 bytes, network byte order. */
export function ipv4FromBytes(bytes: Uint8Array): Ipv4 {
  return bytes.join('.') as Ipv4;
}

/** The 4 bytes of an address, network byte order. */
export function ipv4ToBytes(address: Ipv4): Uint8Array {
  const value = ipv4ToNumber(address);
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

/** A mask of `length` bits. In JavaScript a shift by 32 is a shift by 0, hence the special case. */
function maskOf(length: number): number {
  return length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0;
}

/** The subnet of `length` bits that holds `address`. */
export function ipv4Subnet(address: Ipv4, length: number): Ipv4Cidr {
  return `${ipv4FromNumber((ipv4ToNumber(address) & maskOf(length)) >>> 0)}/${length}` as Ipv4Cidr;
}

/**
 * A subnet from text.
 * @throws MESH_ADDRESS_INVALID also when host bits are set
 */
export function parseIpv4Cidr(text: string): Ipv4Cidr {
  const { address, length } = parseIpv4Interface(text);
  const subnet = ipv4Subnet(address, length);
  if (subnet !== `${address}/${length}`) {
    throw new MeshError('MESH_ADDRESS_INVALID', `${text} has host bits set`, { remedy: `Write ${subnet}.` });
  }
  return subnet;
}

/**
 * An interface's address with its prefix length, `10.0.0.5/24`. Host bits may be set.
 * @throws MESH_ADDRESS_INVALID
 */
export function parseIpv4Interface(text: string): { address: Ipv4; length: number } {
  const [address = '', length = ''] = text.split('/', 2);
  if (!isIpv4(address) || !/^(?:[0-9]|[12][0-9]|3[0-2])$/.test(length)) {
    throw new MeshError('MESH_ADDRESS_INVALID', `${JSON.stringify(text)} is not an IPv4 address with a prefix length`, {
      remedy: 'Write the address, a slash and a number from 0 to 32, as in 10.11.0.0/24.',
    });
  }
  return { address, length: Number(length) };
}

/** Whether `subnet` holds `address`. */
export function ipv4InSubnet(address: Ipv4, subnet: Ipv4Cidr): boolean {
  const slash = subnet.indexOf('/');
  const mask = maskOf(Number(subnet.slice(slash + 1)));
  return ((ipv4ToNumber(address) ^ ipv4ToNumber(subnet.slice(0, slash) as Ipv4)) & mask) === 0;
}

/** The parts of a subnet. `first` and `last` are its first and last host; in a /31 and a /32 they mean nothing. */
export interface Ipv4Range {
  readonly network: Ipv4;
  readonly mask: Ipv4;
  readonly length: number;
  readonly first: Ipv4;
  readonly last: Ipv4;
}

/** The parts of a subnet of at most 30 bits. */
export function ipv4Range(subnet: Ipv4Cidr): Ipv4Range {
  const { network, length } = partsOf(subnet);
  const mask = maskOf(length);
  return {
    network: ipv4FromNumber(network),
    mask: ipv4FromNumber(mask),
    length,
    first: ipv4FromNumber(network + 1),
    last: ipv4FromNumber((network | ~mask) - 1),
  };
}

/** Whether two subnets have an address in common. */
export function ipv4Overlap(a: Ipv4Cidr, b: Ipv4Cidr): boolean {
  const [one, other] = [partsOf(a), partsOf(b)];
  return ((one.network ^ other.network) & maskOf(Math.min(one.length, other.length))) === 0;
}

/** The prefix length of a subnet, in bits. */
export function ipv4Length(subnet: Ipv4Cidr): number {
  return partsOf(subnet).length;
}

function partsOf(subnet: Ipv4Cidr): { network: number; length: number } {
  const [base = '', length = ''] = subnet.split('/', 2);
  return { network: ipv4ToNumber(base as Ipv4), length: Number(length) };
}
