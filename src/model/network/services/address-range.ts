/** Ranges of addresses from which DHCP gives, and the blocks of them that the nodes of a network give from. Pure. */
import { ipFromBigint, ipToBigint } from '../../address/ip-range.ts';
import { type Ipv4, isIpv4 } from '../../address/ipv4.ts';
import type { Ipv6 } from '../../address/ipv6.ts';

/** Addresses from first to last, both included. */
export interface AddressRange<T extends Ipv4 | Ipv6 = Ipv4 | Ipv6> {
  readonly first: T;
  readonly last: T;
}

/** Into so many blocks the ranges of a service are divided: a node that comes or goes moves some, and the others stay. */
export const BLOCKS_MAX = 16;

/** How many addresses ranges have together. */
export function rangesSize(ranges: readonly AddressRange[]): bigint {
  return ranges.reduce((sum, { first, last }) => sum + ipToBigint(last) - ipToBigint(first) + 1n, 0n);
}

/** Into how many blocks ranges are divided: none is empty. */
export function blockCount(ranges: readonly AddressRange[]): number {
  const size = rangesSize(ranges);
  return size < BigInt(BLOCKS_MAX) ? Number(size) : BLOCKS_MAX;
}

/** Whether an address is in a range. */
export function isInRange(address: Ipv4 | Ipv6, { first, last }: AddressRange): boolean {
  const value = ipToBigint(address);
  return ipToBigint(first) <= value && value <= ipToBigint(last);
}

/** Whether two ranges have an address in common. */
export function haveCommon(a: AddressRange, b: AddressRange): boolean {
  return ipToBigint(a.first) <= ipToBigint(b.last) && ipToBigint(b.first) <= ipToBigint(a.last);
}

/** The addresses of these blocks. Blocks side by side are one range. */
export function rangesOfBlocks<T extends Ipv4 | Ipv6>(
  ranges: readonly AddressRange<T>[],
  blocks: readonly number[],
): AddressRange<T>[] {
  const [size, count] = [rangesSize(ranges), BigInt(blockCount(ranges))];
  const has = new Set(blocks);
  const parts: AddressRange<T>[] = [];
  for (let block = 0; block < count; block++) {
    if (!has.has(block)) continue;
    const from = (size * BigInt(block)) / count;
    while (has.has(block + 1) && block + 1 < count) block++;
    parts.push(...slice(ranges, from, (size * BigInt(block + 1)) / count));
  }
  return parts;
}

/** Ranges without these addresses. A range is cut in two at each. */
export function withoutAddresses<T extends Ipv4 | Ipv6>(
  ranges: readonly AddressRange<T>[],
  addresses: readonly T[],
): readonly AddressRange<T>[] {
  return addresses.reduce<readonly AddressRange<T>[]>(
    (parts, address) => parts.flatMap((range) => (isInRange(address, range) ? around(address, range) : [range])),
    ranges,
  );
}

function around<T extends Ipv4 | Ipv6>(address: Ipv4 | Ipv6, { first, last }: AddressRange<T>): AddressRange<T>[] {
  const at = ipToBigint(address);
  return [
    ...(at > ipToBigint(first) ? [{ first, last: addressAt(first, at - 1n) }] : []),
    ...(at < ipToBigint(last) ? [{ first: addressAt(first, at + 1n), last }] : []),
  ];
}

/** The addresses from the place `from` to before the place `to`, counted over all ranges. */
function slice<T extends Ipv4 | Ipv6>(ranges: readonly AddressRange<T>[], from: bigint, to: bigint): AddressRange<T>[] {
  let passed = 0n;
  return ranges.flatMap((range) => {
    const start = passed;
    passed += rangesSize([range]);
    const [low, high] = [from > start ? from : start, to < passed ? to : passed];
    if (low >= high) return [];
    const base = ipToBigint(range.first) - start;
    return [{ first: addressAt(range.first, base + low), last: addressAt(range.first, base + high - 1n) }];
  });
}

/** The address of a value, of the same family as `like`. */
function addressAt<T extends Ipv4 | Ipv6>(like: T, value: bigint): T {
  return ipFromBigint(value, isIpv4(like) ? 'ipv4' : 'ipv6') as T;
}
