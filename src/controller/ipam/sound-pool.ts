/** The rules between the parts of an address pool. */
import { ipRange, rangesOverlap } from '../../model/address/ip-range.ts';
import { type AddressPool, POOL_LENGTH_MIN } from '../../model/ipam/address-pool.ts';
import { blocksText, poolInvalid } from './ipam-error.ts';

const LENGTHS = { 'ipv6-prefix': 64, 'ipv4-subnet': undefined, 'ipv4-address': 32 } as const;
/** A subnet of 31 bits has two hosts and nothing else (RFC 3021): no room for a router with a service of its own. */
const SUBNET_LENGTH_MAX = 30;

/** The same pool, if its parts fit each other. @throws MESH_IPAM_POOL_INVALID */
export function soundPool(pool: AddressPool): AddressPool {
  const { name, kind, cidr, length, reserved } = pool;
  mustFitMain(pool);
  const range = ipRange(cidr);
  const family = kind === 'ipv6-prefix' ? 'ipv6' : 'ipv4';
  if (range.family !== family) {
    throw poolInvalid(
      name,
      `${cidr} is no ${family === 'ipv6' ? 'IPv6' : 'IPv4'} subnet`,
      `A pool of the kind ${kind} has addresses of one family.`,
      family === 'ipv6' ? 'Write a subnet such as fd42:2345::/32' : 'Write a subnet such as 10.20.0.0/16',
    );
  }
  const wanted = LENGTHS[kind];
  if (wanted !== undefined && length !== wanted) {
    throw poolInvalid(
      name,
      `its blocks cannot be /${length}s`,
      kind === 'ipv6-prefix'
        ? 'A network has an IPv6 /64 (RFC 4291 §2.5.4).'
        : 'A pool of single addresses gives /32s.',
      'Leave the length out',
    );
  }
  if (length > (wanted ?? SUBNET_LENGTH_MAX) || range.length > length || range.length < minimumOf(family)) {
    throw poolInvalid(
      name,
      `${cidr} has no ${blocksText(pool)}, or too many to count`,
      `The subnet of a pool is at least as large as a block${family === 'ipv6' ? ', and a /20 at most' : ''}; a block of IPv4 has at most ${SUBNET_LENGTH_MAX} bits of prefix.`,
      family === 'ipv6' ? 'Write a subnet from /20 to /64' : 'Write a larger subnet, or another length: `--length 24`',
    );
  }
  const outside = reserved.find((other) => !rangesOverlap(range, ipRange(other)));
  if (outside !== undefined) {
    throw poolInvalid(name, `${outside} is not in ${cidr}`, 'What is reserved is in the pool.', 'Leave it out');
  }
  return pool;
}

function minimumOf(family: 'ipv4' | 'ipv6'): number {
  return family === 'ipv6' ? POOL_LENGTH_MIN : 0;
}

/** @throws MESH_IPAM_POOL_INVALID */
function mustFitMain({ name, kind, main }: AddressPool): void {
  const rule = 'The network main gets a subnet of a pool, and NAT44 for a subnet of IPv4.';
  if (main !== undefined && kind === 'ipv4-address')
    throw poolInvalid(name, 'single addresses are no subnet of main', rule, 'Leave --main out');
  if (main?.nat44 !== undefined && kind !== 'ipv4-subnet')
    throw poolInvalid(
      name,
      'its blocks are not of IPv4: NAT44 has nothing to hide',
      rule,
      'Leave --nat-device and --nat-address out',
    );
}
