/**
 * Which boot segment has which subnet. The store keeps that (`/v1/pools/subnets/<subnet>`), so that a node that boots again gets
 * its old address.
 */

import { isDeepStrictEqual } from 'node:util';
import { type Ipv4, type Ipv4Cidr, ipv4Length, ipv4Overlap, ipv4Range } from '../../model/address/ipv4.ts';
import * as form from '../../protocol/shapes/form.ts';
import { DeviceShape, Ipv4CidrShape } from '../../protocol/shapes/parts.ts';
import type { Store } from '../../store/store.ts';
import { bestFit, poolExhausted } from './best-fit.ts';
import { Pool, poolRecords, takeAndGive } from './pool.ts';

/** The subnet of one segment, with the keys of its record in the store. */
export interface SubnetAllocation {
  readonly subnet: Ipv4Cidr;
  readonly origin: 'manual' | 'dynamic';
  /** The names of host0's NICs on the segment when the subnet was allocated, first the one that serves the segment. */
  readonly ports: readonly string[];
}

/** The form of an allocation, in the store and in the file of earlier versions. */
export const SubnetAllocationShape: form.Shape<SubnetAllocation> = form.object({
  subnet: Ipv4CidrShape,
  origin: form.oneOf(['manual', 'dynamic']),
  ports: form.listOf(DeviceShape, 1_024),
});

const POOL = 'subnets';

/** Where the book is, and what it may allocate. */
export interface SubnetBookInput {
  readonly store: Store;
  readonly rules: SubnetRules;
  /** The allocations of an earlier version, which kept them in a file. Asked for when the store has no pool yet. */
  readonly former?: () => Promise<readonly SubnetAllocation[]>;
}

/** An entry of `manual_subnets` for the segment of one NIC: a subnet, or the length of its prefix. */
interface SubnetWish {
  /** The name of the NIC. */
  readonly port: string;
  readonly subnet: Ipv4Cidr | number;
}

/** The settings of host0.conf that subnets follow: `subnet_pool`, `default_subnet_size`, `manual_subnets`. */
export interface SubnetRules {
  readonly pools: readonly Ipv4Cidr[];
  readonly defaultLength: number;
  readonly wishes: readonly SubnetWish[];
}

/** host0's own address in a subnet that it allocated: the first one. */
export function host0AddressIn(subnet: Ipv4Cidr): Ipv4 {
  return ipv4Range(subnet).first;
}

/** The subnets that host0 has allocated to its segments. SubnetAllocation is immediate; the store follows (`saved`). */
export class SubnetBook {
  readonly #store: Store;
  readonly #pool: Pool<SubnetAllocation>;
  readonly #rules: SubnetRules;
  #allocations: readonly SubnetAllocation[];
  #written: Promise<void> = Promise.resolve();

  private constructor(
    store: Store,
    pool: Pool<SubnetAllocation>,
    rules: SubnetRules,
    allocations: readonly SubnetAllocation[],
  ) {
    this.#store = store;
    this.#pool = pool;
    this.#rules = rules;
    this.#allocations = allocations;
  }

  /**
   * Reads the book, without the entries that the settings no longer allow. No subnet is given out twice even if the store was
   * emptied, because `allocate` is also told the subnets of the addresses on the NICs.
   * @throws MESH_STORE_BROKEN
   */
  static async open({ store, rules, former }: SubnetBookInput): Promise<SubnetBook> {
    const input = { store, name: POOL, form: poolRecords(POOL, ({ subnet }) => subnet, SubnetAllocationShape) };
    const pool = await Pool.open({ ...input, first: 0, leap: 0 });
    const before = pool.isNew ? ((await former?.()) ?? []) : pool.grants;
    const book = new SubnetBook(
      store,
      pool,
      rules,
      before.filter((allocation) => isStillAllowed(allocation, rules)),
    );
    if (pool.isNew && book.#allocations.length > 0) book.#write();
    return book;
  }

  get allocations(): readonly SubnetAllocation[] {
    return this.#allocations;
  }

  /** The allocation of the segment that has one of these NICs. */
  of(nics: readonly string[]): SubnetAllocation | undefined {
    return this.#allocations.find(({ ports }) => ports.some((nic) => nics.includes(nic)));
  }

  /**
   * The allocation of the segment. If it has none, it gets the subnet that the settings wish for one of its NICs, else the best
   * fit (best-fit.ts).
   * @param nics the names of the segment's NICs, first the one that serves it
   * @param used the subnets of this machine's own addresses, and those of other DHCP servers
   * @throws MESH_BOOT_POOL_EXHAUSTED
   */
  allocate(nics: readonly string[], used: readonly Ipv4Cidr[]): SubnetAllocation {
    const known = this.of(nics);
    if (known !== undefined) return known;
    const made = this.propose(nics, used);
    this.#allocations = [...this.#allocations, made];
    this.#write();
    return made;
  }

  /** As `allocate`, but records nothing: for dry mode. @throws MESH_BOOT_POOL_EXHAUSTED */
  propose(nics: readonly string[], used: readonly Ipv4Cidr[]): SubnetAllocation {
    const known = this.of(nics);
    if (known !== undefined) return known;
    const { pools, defaultLength, wishes } = this.#rules;
    const taken = [...used, ...this.#allocations.map(({ subnet }) => subnet)];
    const wish = wishes.find(({ port }) => nics.includes(port))?.subnet;
    if (typeof wish === 'string' && !taken.some((other) => ipv4Overlap(other, wish))) {
      return { subnet: wish, origin: 'manual', ports: nics };
    }
    const others = wishes.flatMap(({ subnet }) => (typeof subnet === 'string' && subnet !== wish ? [subnet] : []));
    const length = typeof wish === 'number' ? wish : defaultLength;
    const subnet = bestFit(pools, [...taken, ...others], length);
    if (subnet === undefined) throw poolExhausted(nics, pools, length);
    return { subnet, origin: 'dynamic', ports: nics };
  }

  /** The subnet that the settings wish for a segment, if the segment has another one because that one was not free. */
  unmetWish(nics: readonly string[]): Ipv4Cidr | undefined {
    const wish = this.#rules.wishes.find(({ port }) => nics.includes(port))?.subnet;
    const { subnet } = this.of(nics) ?? {};
    return typeof wish === 'string' && subnet !== undefined && subnet !== wish ? wish : undefined;
  }

  /** Removes the allocation of a segment whose NIC has an address of its own now. */
  release(nics: readonly string[]): void {
    const left = this.#allocations.filter(({ ports }) => !ports.some((nic) => nics.includes(nic)));
    if (left.length === this.#allocations.length) return;
    this.#allocations = left;
    this.#write();
  }

  /** Resolves when all changes so far are on disk. @throws MESH_STORE_BROKEN */
  saved(): Promise<void> {
    return this.#written;
  }

  #write(): void {
    this.#written = this.#written.catch(() => {}).then(() => this.#save());
    // `saved` reports the error, and the store has a finding. A later change writes these allocations, too.
    this.#written.catch(() => {});
  }

  /** Brings the pool in line with the book. */
  async #save(): Promise<void> {
    const kept = new Set(this.#allocations.map(({ subnet }) => subnet));
    const moves = [
      ...this.#pool.grants.filter(({ subnet }) => !kept.has(subnet)).map(({ subnet }) => this.#pool.give(subnet)),
      ...this.#allocations.flatMap((allocation) => {
        const before = this.#pool.of(allocation.subnet);
        if (before === undefined) return [this.#pool.take(allocation)];
        return isDeepStrictEqual(before, allocation) ? [] : [this.#pool.rewrite(allocation)];
      }),
    ];
    if (moves.length > 0) await takeAndGive(this.#store, moves, [], []);
  }
}

/**
 * Whether the settings still allow an allocation. If its subnet came from `manual_subnets`, or if they name one for the segment
 * now, the two must be equal. Otherwise the subnet must lie in a pool and have the size that is set.
 */
function isStillAllowed(
  { subnet, origin, ports }: SubnetAllocation,
  { pools, defaultLength, wishes }: SubnetRules,
): boolean {
  const wish = wishes.find(({ port }) => ports.includes(port))?.subnet;
  if (origin === 'manual' || typeof wish === 'string') return wish === subnet;
  return ipv4Length(subnet) === (wish ?? defaultLength) && pools.some((pool) => ipv4Overlap(pool, subnet));
}
