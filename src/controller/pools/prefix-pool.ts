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

/** Tells who uses a /64 outside of the pool, for people; undefined if nobody does. */
export type PrefixUse = (prefix: Ipv6Cidr) => string | undefined;

const UNUSED: PrefixUse = () => undefined;

/** Allocates prefixes; one that was given back is the last to be given again. */
export class PrefixPool {
  readonly #pool: Pool<Grant>;
  readonly #site: string;
  /** What is taken and is no /64: prefixes that were taken by hand. */
  readonly #wide: Grant[];

  private constructor(pool: Pool<Grant>, epoch: string) {
    this.#pool = pool;
    this.#wide = pool.grants.filter(({ value }) => !isSubnet(value));
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
   * @param use tells of prefixes that are used outside of the pool: those of meshes
   * @throws MESH_NET_PREFIXES_EXHAUSTED
   */
  allocate(owner: string, use = UNUSED): { readonly prefix: Ipv6Cidr; readonly move: PoolMove } {
    for (let offset = 0; offset < SUBNETS; offset++) {
      const id = (this.#pool.next + offset) % SUBNETS;
      const prefix = ipv6Subnet(parseIpv6(`${this.#site}:${id.toString(16)}::`), 64);
      if (this.#overlapping(prefix, use) !== undefined) continue;
      return { prefix, move: this.#pool.take({ value: prefix, owner }, (id + 1) % SUBNETS) };
    }
    throw new MeshError('MESH_NET_PREFIXES_EXHAUSTED', `all /64s of ${this.#site}::/48 are taken`, {
      operation: 'allocate a prefix',
      object: owner,
      remedy: 'Give a prefix, or delete networks that are not needed: `mesh network list`',
    });
  }

  /** Takes a prefix that was given by hand. @throws MESH_NET_PREFIX_TWICE */
  take(prefix: Ipv6Cidr, owner: string, use = UNUSED): PoolMove {
    const other = this.#overlapping(prefix, use);
    if (other === undefined) {
      const grant = { value: prefix, owner };
      if (!isSubnet(prefix)) this.#wide.push(grant);
      return this.#pool.take(grant);
    }
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
  has(prefix: string): boolean {
    return this.#pool.of(prefix) !== undefined;
  }

  /** What a prefix overlaps. Two /64s overlap only if they are equal: a look at all would cost more with each network. */
  #overlapping(prefix: Ipv6Cidr, use: PrefixUse): Grant | undefined {
    const others = isSubnet(prefix) ? this.#wide : this.#pool.grants;
    const known =
      this.#pool.of(prefix) ??
      others.find(({ value }) => this.has(value) && rangesOverlap(ipRange(value), ipRange(prefix)));
    if (known !== undefined) return known;
    const owner = use(prefix);
    return owner === undefined ? undefined : { value: prefix, owner };
  }
}

function isSubnet(prefix: string): boolean {
  return prefix.endsWith('/64');
}
