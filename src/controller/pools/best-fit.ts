/** Allocates subnets from pools by best fit: the first subnet of the smallest free block that is large enough. Pure. */

import {
  type Ipv4,
  type Ipv4Cidr,
  ipv4FromNumber,
  ipv4Length,
  ipv4Overlap,
  ipv4Range,
  ipv4Subnet,
  ipv4ToNumber,
} from '../../model/address/ipv4.ts';
import { MeshError } from '../../model/error.ts';

/**
 * Finds a free subnet. Example: with the pools 10.11.0.0/16 and 192.168.0.0/23 and nothing used, a /25 is 192.168.0.0/25, since
 * the smaller pool is the smaller block.
 * @param length of the wanted subnet's prefix
 * @returns undefined if no free block is large enough
 */
export function bestFit(pools: readonly Ipv4Cidr[], used: readonly Ipv4Cidr[], length: number): Ipv4Cidr | undefined {
  const fitting = pools.flatMap((pool) => freeBlocks(pool, used, length));
  fitting.sort((a, b) => ipv4Length(b) - ipv4Length(a) || numberOf(a) - numberOf(b));
  const [block] = fitting;
  return block === undefined ? undefined : ipv4Subnet(baseOf(block), length);
}

/** The largest parts of `block` that overlap no used subnet and have room for a subnet of `length`. */
function freeBlocks(block: Ipv4Cidr, used: readonly Ipv4Cidr[], length: number): Ipv4Cidr[] {
  const blockLength = ipv4Length(block);
  if (blockLength > length) return [];
  const inside = used.filter((other) => ipv4Overlap(block, other));
  if (inside.length === 0) return [block];
  if (blockLength === length || inside.some((other) => ipv4Length(other) <= blockLength)) return [];
  const half = blockLength + 1;
  const second = ipv4FromNumber((numberOf(block) + 2 ** (32 - half)) >>> 0);
  return [ipv4Subnet(baseOf(block), half), ipv4Subnet(second, half)].flatMap((part) =>
    freeBlocks(part, inside, length),
  );
}

function baseOf(subnet: Ipv4Cidr): Ipv4 {
  return ipv4Range(subnet).network;
}

function numberOf(subnet: Ipv4Cidr): number {
  return ipv4ToNumber(baseOf(subnet));
}

/** The error for a segment that gets no subnet. @param nics the names of the segment's NICs */
export function poolExhausted(nics: readonly string[], pools: readonly Ipv4Cidr[], length: number): MeshError {
  return new MeshError(
    'MESH_BOOT_POOL_EXHAUSTED',
    `there is no free /${length} for ${nics.join(', ')} in ${pools.join(' and ')}`,
    {
      operation: 'allocate a subnet',
      object: nics.join(', '),
      rule: 'A segment without a DHCP server and without an address of host0 gets a subnet of default_subnet_size from subnet_pool.',
      remedy:
        'Add a network to subnet_pool in host0.conf, raise default_subnet_size (30 is the smallest subnet), or give the NIC an address.',
    },
  );
}
