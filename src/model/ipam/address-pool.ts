/** Address pools: ranges of IP addresses from which networks, virtual machines and orders get blocks of one size. */
import { CidrShape, Ipv4Shape } from '../address/address-shapes.ts';
import type { Ipv4Cidr } from '../address/ipv4.ts';
import type { Ipv6Cidr } from '../address/ipv6.ts';
import * as form from '../form.ts';
import type { Nat44Service } from '../network/services/nat44.ts';
import { DeviceShape, NameShape } from '../network/words.ts';

/** What a pool gives. */
export const POOL_KINDS = [
  /** An IPv6 /64, for one network. */
  'ipv6-prefix',
  /** An IPv4 subnet of the length that the pool says, for one network. */
  'ipv4-subnet',
  /** A single IPv4 address, for one virtual machine. */
  'ipv4-address',
] as const;
/** See `POOL_KINDS`. */
export type PoolKind = (typeof POOL_KINDS)[number];

/** What the network `main` gets of a pool: a block, and for a block of IPv6 the service `ra`. */
export interface MainShare {
  /** The way outside for guests of `main` with IPv4 addresses. Absent: none. */
  readonly nat44?: Pick<Nat44Service, 'device' | 'address' | 'length' | 'gateway'>;
}

/** A pool of addresses. */
export interface AddressPool {
  /** One word, unique among pools. */
  readonly name: string;
  readonly kind: PoolKind;
  /** All addresses of the pool. Pools do not overlap. */
  readonly cidr: Ipv4Cidr | Ipv6Cidr;
  /** The prefix length of each block that the pool gives: 64 for IPv6 prefixes, 32 for single addresses. */
  readonly length: number;
  /** Subnets whose addresses are given to nobody unless they are named. */
  readonly reserved: readonly (Ipv4Cidr | Ipv6Cidr)[];
  /** How long a block rests after its release, before it is given again. */
  readonly restSec: number;
  /** host0 warns when so much of the pool is taken. */
  readonly warnPercent: number;
  /**
   * The name of an executable of host0 that chooses the blocks, for a site that keeps its addresses elsewhere. Absent: host0
   * chooses.
   */
  readonly allocator?: string;
  /** Absent: the network `main` gets nothing unless an order says so. */
  readonly main?: MainShare;
}

/**
 * Two hours: a Linux guest keeps an address that is announced no more for so long (RFC 4862 §5.5.3 e), and would share it with the
 * next owner.
 */
export const REST_SEC = 7_200;
/** Enough time to get another pool. */
export const WARN_PERCENT = 80;
/** A pool holds at most 2^44 blocks, which numbers of JavaScript count exactly. */
export const POOL_LENGTH_MIN = 20;
/** A year. */
const REST_MAX_SEC = 31_536_000;
const RESERVED_MAX = 1_024;

/** The name of an executable: one word, so that no path leads out of the folder of allocators. */
export const AllocatorNameShape: form.Shape<string> = NameShape;

const MainShareShape: form.Shape<MainShare> = form.object({
  nat44: form.exactOptional(
    form.object({
      device: DeviceShape,
      address: Ipv4Shape,
      length: form.int(8, 32),
      gateway: form.exactOptional(Ipv4Shape),
    }),
  ),
});

/** The form of a pool in documents. */
export const AddressPoolShape: form.Shape<AddressPool> = form.object({
  name: NameShape,
  kind: form.oneOf(POOL_KINDS),
  cidr: CidrShape,
  length: form.int(1, 64),
  reserved: form.defaulted(form.listOf(CidrShape, RESERVED_MAX), []),
  restSec: form.int(0, REST_MAX_SEC),
  warnPercent: form.int(1, 100),
  allocator: form.exactOptional(AllocatorNameShape),
  main: form.exactOptional(MainShareShape),
});
