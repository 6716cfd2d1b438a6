/**
 * The IPv6 prefixes of networks: /64s of one /48 that is made at random with the store (RFC 4193), or prefixes that were given by
 * hand.
 */
import { ipRange, rangesOverlap } from '../../model/address/ip-range.ts';
import { type Ipv6Cidr, ipv6Subnet, parseIpv6 } from '../../model/address/ipv6.ts';
import { MeshError } from '../../model/error.ts';
import { genid } from '../../model/genid.ts';
import type { Store } from '../../store/store.ts';
import { type Grant, GrantShape, Pool, type PoolMove, poolRecords } from './pool.ts';

const POOL = 'prefixes';
/** A /48 has so many /64s. */
const SUBNETS = 0x10000;
/** More networks than are made between two backups. */
const LEAP = 0x100;

/** Allocates prefixes; one that was given back is the last to be given again. */
export class PrefixPool {
  readonly #pool: Pool<Grant>;
  readonly #site: string;

  private constructor(pool: Pool<Grant>, epoch: string) {
    this.#pool = pool;
    // Another epoch has another /48: what was given out under the earlier one may live on.
    const id = genid(['site', epoch], 10);
    this.#site = `fd${id.slice(0, 2)}:${id.slice(2, 6)}:${id.slice(6, 10)}`;
  }

  /** Reads which prefixes are taken. @throws MESH_STORE_BROKEN */
  static async open(store: Store): Promise<PrefixPool> {
    const form = poolRecords<Grant>(POOL, ({ value }) => value, GrantShape);
    return new PrefixPool(await Pool.open({ store, name: POOL, form, first: 1, leap: LEAP }), store.epoch);
  }

  /**
   * The next free /64.
   * @param used prefixes that are used outside of the pool: those of meshes, and of the physical network
   * @throws MESH_NET_PREFIXES_EXHAUSTED
   */
  allocate(owner: string, used: readonly Ipv6Cidr[]): { readonly prefix: Ipv6Cidr; readonly move: PoolMove } {
    // Two /64s overlap only if they are equal, which the pool's index tells at once.
    const taken = [...used, ...this.#pool.grants.flatMap(({ value }) => (value.endsWith('/64') ? [] : [value]))];
    for (let offset = 0; offset < SUBNETS; offset++) {
      const id = (this.#pool.next + offset) % SUBNETS;
      const prefix = ipv6Subnet(parseIpv6(`${this.#site}:${id.toString(16)}::`), 64);
      if (this.#pool.of(prefix) !== undefined || taken.some((other) => rangesOverlap(ipRange(other), ipRange(prefix))))
        continue;
      return { prefix, move: this.#pool.take({ value: prefix, owner }, (id + 1) % SUBNETS) };
    }
    throw new MeshError('MESH_NET_PREFIXES_EXHAUSTED', `all /64s of ${this.#site}::/48 are taken`, {
      operation: 'allocate a prefix',
      object: owner,
      remedy: 'Give a prefix, or delete networks that are not needed: `mesh network list`',
    });
  }

  /** Takes a prefix that was given by hand. @throws MESH_NET_PREFIX_TWICE */
  take(prefix: Ipv6Cidr, owner: string, used: readonly Ipv6Cidr[] = []): PoolMove {
    const outside = used.map((value) => ({ value, owner: 'another network' }));
    const other = [...this.#pool.grants, ...outside].find(({ value }) =>
      rangesOverlap(ipRange(value), ipRange(prefix)),
    );
    if (other === undefined) return this.#pool.take({ value: prefix, owner });
    throw new MeshError('MESH_NET_PREFIX_TWICE', `prefix ${prefix} overlaps ${other.value}, that of ${other.owner}`, {
      operation: 'take a prefix',
      object: owner,
      rule: 'Each network has a prefix of its own.',
      remedy: 'Give another prefix, or none: host0 allocates one',
    });
  }

  /** Moves on, past prefixes that the store may have given out and lost. */
  leap(): PoolMove {
    return this.#pool.leap(this.#pool.next + LEAP);
  }

  /** Gives a prefix back. */
  give(prefix: Ipv6Cidr): PoolMove {
    return this.#pool.give(prefix);
  }

  /** Who has a prefix; undefined if it was not taken from the pool. */
  ownerOf(prefix: Ipv6Cidr): string | undefined {
    return this.#pool.of(prefix)?.owner;
  }

  /** Whether a prefix was taken from the pool. */
  has(prefix: Ipv6Cidr): boolean {
    return this.#pool.of(prefix) !== undefined;
  }
}
