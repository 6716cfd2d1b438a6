/**
 * Which segment has which subnet. The book is kept over restarts (`<state>/boot/subnets.json`), so that a node that boots again
 * gets its old address.
 */

import { StateFile, type StateForm } from '../../disk/state-file.ts';
import { type Ipv4, type Ipv4Cidr, ipv4Length, ipv4Overlap, ipv4Range } from '../../model/address/ipv4.ts';
import { MeshError } from '../../model/error.ts';
import type { Finding, HealthSource } from '../../protocol/documents/finding.ts';
import * as form from '../../protocol/shapes/form.ts';
import { DeviceShape, Ipv4CidrShape } from '../../protocol/shapes/parts.ts';
import { bestFit, poolExhausted } from './subnet-pool.ts';

/** The subnet of one segment, as an entry of subnets.json: the keys are those on disk. */
export interface Allocation {
  readonly subnet: Ipv4Cidr;
  readonly origin: 'manual' | 'dynamic';
  /** The names of host0's NICs on the segment when the subnet was allocated, first the one that serves the segment. */
  readonly ports: readonly string[];
}

const ALLOCATIONS_MAX = 4_096;
const AllocationShape: form.Shape<Allocation> = form.object({
  subnet: Ipv4CidrShape,
  origin: form.oneOf(['manual', 'dynamic']),
  ports: form.listOf(DeviceShape, 1_024),
});
type Book = readonly (Allocation | undefined)[];

const BOOK_FILE: StateForm<Book> = {
  version: 1,
  // An entry that is spoilt is left out.
  shape: form.listOf(form.otherwise(AllocationShape, undefined), ALLOCATIONS_MAX),
  holds: 'the subnets of the segments',
  remedy: 'host0 gives out subnets anew, perhaps others. Boot the nodes again that host0 does not reach any more.',
  comesBack: false,
};

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

/** The subnets that host0 has allocated to its segments. Allocation is immediate; the file follows (`saved`). */
export class SubnetBook implements HealthSource {
  readonly #file: StateFile<Book>;
  readonly #rules: SubnetRules;
  #allocations: readonly Allocation[];
  #written: Promise<void> = Promise.resolve();

  private constructor(file: StateFile<Book>, rules: SubnetRules, allocations: readonly Allocation[]) {
    this.#file = file;
    this.#rules = rules;
    this.#allocations = allocations;
  }

  /**
   * Reads the book, without the entries that the settings no longer allow. An unreadable book counts as empty. No subnet is given
   * out twice even then, because `allocate` is also told the subnets of the addresses on the NICs.
   */
  static async open(path: string, rules: SubnetRules): Promise<SubnetBook> {
    const file = new StateFile(path, BOOK_FILE);
    const allocations = ((await file.read()) ?? []).flatMap((allocation) => allocation ?? []);
    return new SubnetBook(
      file,
      rules,
      allocations.filter((allocation) => isStillAllowed(allocation, rules)),
    );
  }

  /** A finding while the book cannot be used, or while its allocations are lost. */
  health(): readonly Finding[] {
    return this.#file.health();
  }

  get allocations(): readonly Allocation[] {
    return this.#allocations;
  }

  /** The allocation of the segment that has one of these NICs. */
  of(nics: readonly string[]): Allocation | undefined {
    return this.#allocations.find(({ ports }) => ports.some((nic) => nics.includes(nic)));
  }

  /**
   * The allocation of the segment. If it has none, it gets the subnet that the settings wish for one of its NICs, else the best
   * fit (subnet-pool.ts).
   * @param nics the names of the segment's NICs, first the one that serves it
   * @param used the subnets of this machine's own addresses, and those of other DHCP servers
   * @throws MESH_BOOT_POOL_EXHAUSTED
   */
  allocate(nics: readonly string[], used: readonly Ipv4Cidr[]): Allocation {
    const known = this.of(nics);
    if (known !== undefined) return known;
    const made = this.propose(nics, used);
    this.#allocations = [...this.#allocations, made];
    this.#write();
    return made;
  }

  /** As `allocate`, but records nothing: for dry mode. @throws MESH_BOOT_POOL_EXHAUSTED */
  propose(nics: readonly string[], used: readonly Ipv4Cidr[]): Allocation {
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

  /** Resolves when all changes so far are on disk. @throws MESH_DISK_REFUSED */
  saved(): Promise<void> {
    return this.#written;
  }

  #write(): void {
    const allocations = this.#allocations;
    const written = this.#written
      .catch(() => {})
      .then(() => this.#file.write(allocations))
      .catch((thrown: unknown) => {
        // A file that stays as it is, is a finding, and no reason to give out no addresses.
        if (MeshError.from(thrown).code === 'MESH_DISK_REFUSED') throw thrown;
      });
    this.#written = written;
    // `saved` reports the error.
    written.catch(() => {});
  }
}

/**
 * Whether the settings still allow an allocation. If its subnet came from `manual_subnets`, or if they name one for the segment
 * now, the two must be equal. Otherwise the subnet must lie in a pool and have the size that is set.
 */
function isStillAllowed({ subnet, origin, ports }: Allocation, { pools, defaultLength, wishes }: SubnetRules): boolean {
  const wish = wishes.find(({ port }) => ports.includes(port))?.subnet;
  if (origin === 'manual' || typeof wish === 'string') return wish === subnet;
  return ipv4Length(subnet) === (wish ?? defaultLength) && pools.some((pool) => ipv4Overlap(pool, subnet));
}
