/** The zones of reverse look-ups. */
import { ipFromBigint, ipRange } from '../../model/address/ip-range.ts';
import type { Ipv4Cidr } from '../../model/address/ipv4.ts';
import { type Ipv6Cidr, ipv6ToBytes, parseIpv6 } from '../../model/address/ipv6.ts';

/** Bits of one label of a zone: IPv4 has bytes, IPv6 has hex digits (RFC 1035 §3.5, RFC 3596 §2.5). */
const LABEL_BITS = { ipv4: 8, ipv6: 4 } as const;

/** The zones of all addresses of a subnet: several where its prefix does not end with a label. */
export function reverseZones(cidr: Ipv4Cidr | Ipv6Cidr): string[] {
  const { family, bits, length, first } = ipRange(cidr);
  const label = LABEL_BITS[family];
  const labels = Math.ceil(length / label);
  const count = 2 ** (labels * label - length);
  const step = 1n << BigInt(bits - labels * label);
  return Array.from({ length: count }, (_, at) => {
    const text = ipFromBigint(first + BigInt(at) * step, family);
    const all = family === 'ipv4' ? text.split('.') : hexDigits(text);
    return [...all.slice(0, labels).reverse(), family === 'ipv4' ? 'in-addr.arpa' : 'ip6.arpa'].join('.');
  });
}

function hexDigits(address: string): string[] {
  return [...Buffer.from(ipv6ToBytes(parseIpv6(address))).toString('hex')];
}
