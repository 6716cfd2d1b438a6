/** Which segment has which subnet, kept over restarts (`<state>/boot/subnets.json`): a node that boots again finds its old address. */
import { readFile } from 'node:fs/promises';
import { writeDurable } from '../../disk/durable-file.ts';
import {
  type Ipv4,
  type Ipv4Cidr,
  ipv4Length,
  ipv4Overlap,
  ipv4Range,
  parseIpv4Cidr,
} from '../../model/address/ipv4.ts';
import { MeshError } from '../../model/error.ts';
import { bestFit, poolExhausted } from './subnet-pool.ts';

export interface Allocation {
  readonly subnet: Ipv4Cidr;
  readonly origin: 'manual' | 'dynamic';
  /** host0's ports on the segment, when it was made or last looked at. */
  readonly ports: readonly string[];
}

/** A wish for the segment of one port: a subnet, or the length of one's prefix. */
export interface SubnetWish {
  readonly port: string;
  readonly subnet: Ipv4Cidr | number;
}

export interface SubnetRules {
  readonly pools: readonly Ipv4Cidr[];
  readonly defaultLength: number;
  readonly wishes: readonly SubnetWish[];
}

/** host0's own address in a subnet that it gave out. */
export function host0AddressIn(subnet: Ipv4Cidr): Ipv4 {
  return ipv4Range(subnet).first;
}

export class SubnetBook {
  readonly #file: string;
  readonly #rules: SubnetRules;
  #allocations: readonly Allocation[];
  #written: Promise<void> = Promise.resolve();

  private constructor(file: string, rules: SubnetRules, allocations: readonly Allocation[]) {
    this.#file = file;
    this.#rules = rules;
    this.#allocations = allocations;
  }

  /** A book that cannot be read is begun anew: what is on the ports themselves is never given out twice. */
  static async open(file: string, rules: SubnetRules): Promise<SubnetBook> {
    const text = await readFile(file, 'utf8').catch(() => '[]');
    const kept = parseBook(text).filter((allocation) => isStillRight(allocation, rules));
    return new SubnetBook(file, rules, kept);
  }

  get allocations(): readonly Allocation[] {
    return this.#allocations;
  }

  /** What the segment with one of these ports has. */
  of(ports: readonly string[]): Allocation | undefined {
    return this.#allocations.find((allocation) => allocation.ports.some((port) => ports.includes(port)));
  }

  /**
   * What the segment has, or now gets: what is wished for one of its ports, else the best fit.
   * @param used the subnets of this machine's ports, and of other servers
   * @throws MESH_BOOT_POOL_EXHAUSTED
   */
  allocate(ports: readonly string[], used: readonly Ipv4Cidr[]): Allocation {
    const known = this.of(ports);
    if (known !== undefined) return known;
    const made = this.propose(ports, used);
    this.#allocations = [...this.#allocations, made];
    this.#write();
    return made;
  }

  /** What it would get; nothing is noted. @throws MESH_BOOT_POOL_EXHAUSTED */
  propose(ports: readonly string[], used: readonly Ipv4Cidr[]): Allocation {
    const known = this.of(ports);
    if (known !== undefined) return known;
    const { pools, defaultLength, wishes } = this.#rules;
    const taken = [...used, ...this.#allocations.map(({ subnet }) => subnet)];
    const wish = wishes.find(({ port }) => ports.includes(port))?.subnet;
    if (typeof wish === 'string' && !taken.some((other) => ipv4Overlap(other, wish))) {
      return { subnet: wish, origin: 'manual', ports };
    }
    const others = wishes.flatMap(({ subnet }) => (typeof subnet === 'string' && subnet !== wish ? [subnet] : []));
    const length = typeof wish === 'number' ? wish : defaultLength;
    const subnet = bestFit(pools, [...taken, ...others], length);
    if (subnet === undefined) throw poolExhausted(ports, pools, length);
    return { subnet, origin: 'dynamic', ports };
  }

  /** The wish that could not be met for a segment, if it is so. */
  unmetWish(ports: readonly string[]): Ipv4Cidr | undefined {
    const wish = this.#rules.wishes.find(({ port }) => ports.includes(port))?.subnet;
    const { subnet } = this.of(ports) ?? {};
    return typeof wish === 'string' && subnet !== undefined && subnet !== wish ? wish : undefined;
  }

  /** The segment has an address of its own now, or is not served any more by the settings. */
  release(ports: readonly string[]): void {
    const left = this.#allocations.filter((allocation) => !allocation.ports.some((port) => ports.includes(port)));
    if (left.length === this.#allocations.length) return;
    this.#allocations = left;
    this.#write();
  }

  /** Resolves when what was noted is durable. @throws MESH_DISK_REFUSED */
  saved(): Promise<void> {
    return this.#written;
  }

  #write(): void {
    const text = `${JSON.stringify(this.#allocations, undefined, 2)}\n`;
    const written = this.#written.catch(() => {}).then(() => writeDurable(this.#file, text));
    this.#written = written;
    // Whoever needs it durable awaits `saved`.
    written.catch(() => {});
  }
}

/** A pool that was taken away, or another size, ends what was given out of it; a wish is as the settings say now. */
function isStillRight({ subnet, origin, ports }: Allocation, { pools, defaultLength, wishes }: SubnetRules): boolean {
  const wish = wishes.find(({ port }) => ports.includes(port))?.subnet;
  if (origin === 'manual' || typeof wish === 'string') return wish === subnet;
  return ipv4Length(subnet) === (wish ?? defaultLength) && pools.some((pool) => ipv4Overlap(pool, subnet));
}

function parseBook(text: string): Allocation[] {
  try {
    const rows: unknown = JSON.parse(text);
    return Array.isArray(rows) ? rows.flatMap(parseAllocation) : [];
  } catch {
    return [];
  }
}

function parseAllocation(row: Partial<Record<keyof Allocation, unknown>>): Allocation[] {
  const { subnet, origin, ports } = row ?? {};
  if (typeof subnet !== 'string' || (origin !== 'manual' && origin !== 'dynamic') || !Array.isArray(ports)) return [];
  try {
    return [{ subnet: parseIpv4Cidr(subnet), origin, ports: ports.map(String) }];
  } catch (error) {
    if (error instanceof MeshError) return [];
    throw error;
  }
}
