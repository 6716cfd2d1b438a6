/** The subnets of networks as blocks of address pools. */
import type { Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { Ipv6Cidr } from '../../model/address/ipv6.ts';
import { MeshError } from '../../model/error.ts';
import type { Allocation } from '../../model/ipam/allocation.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { Subnet } from '../../model/network/subnet.ts';
import type { BlockHolder, BlockWish, SubnetBlocks } from '../catalogue/subnet-blocks.ts';
import type { PoolMove } from '../pools/pool.ts';
import type { AddressBook } from './address-book.ts';
import { blockTaken, notForNetworks, outsideChooses } from './ipam-error.ts';

/** Plans moves of the address book for the catalogue. */
export class NetworkBlocks implements SubnetBlocks {
  readonly #book: AddressBook;

  constructor(book: AddressBook) {
    this.#book = book;
  }

  pick(
    network: BlockHolder,
    wishes: readonly BlockWish[],
    known: readonly Subnet[],
    moves: PoolMove[],
  ): readonly Subnet['cidr'][] {
    const picked: Subnet['cidr'][] = [];
    for (const wish of wishes) {
      const own = known.find(({ cidr }) => !picked.includes(cidr) && this.#fulfils(network.id, cidr, wish));
      picked.push(own?.cidr ?? this.#pickOne(network, wish, moves));
    }
    return picked;
  }

  #pickOne(network: BlockHolder, wish: BlockWish, moves: PoolMove[]): Subnet['cidr'] {
    const { id } = wish;
    if (id !== undefined && this.#book.pools.has(id)) {
      const { value } = this.#book.pools.find(id);
      moves.push(...this.claim(network, cidrOf(value)));
      return cidrOf(value);
    }
    const { definition } = this.#book.poolFor(wish);
    if (definition.kind === 'ipv4-address') throw notForNetworks(definition);
    if (definition.allocator !== undefined) throw outsideChooses(definition);
    const { allocation, move } = this.#book.plan({ ...wish, holder: { kind: 'network', id: network.id } });
    moves.push(move);
    return cidrOf(allocation.value);
  }

  /** Whether a network has a subnet that is what a wish asks for. */
  #fulfils(network: NetworkId, cidr: Subnet['cidr'], { pool, kind, value, id }: BlockWish): boolean {
    const grants = this.#book.pools.having(cidr);
    const allocation = grants?.of(cidr);
    if (grants === undefined || allocation === undefined || !isHeldBy(allocation, network)) return false;
    const { definition } = grants;
    return (
      (id ?? allocation.id) === allocation.id &&
      (pool ?? definition.name) === definition.name &&
      (kind ?? definition.kind) === definition.kind &&
      (value ?? cidr) === cidr
    );
  }

  claim({ id, name }: BlockHolder, cidr: Subnet['cidr']): readonly PoolMove[] {
    const grants = this.#book.pools.having(cidr);
    if (grants === undefined) return [];
    const { definition } = grants;
    if (definition.kind === 'ipv4-address') throw notForNetworks(definition);
    grants.blocks.indexOf(cidr);
    const known = grants.of(cidr);
    const holder = { kind: 'network', id } as const;
    if (known !== undefined) {
      if (known.holder.kind !== 'network') throw blockTaken(known, this.#book.restsMs(known));
      // A block that was reserved for a network before it had a number is held under its name.
      const isMine = known.holder.id === id || (known.state === 'reserved' && known.holder.id === name);
      if (!isMine) throw blockTaken(known, this.#book.restsMs(known));
      return known.state === 'allocated' ? [] : [this.#book.confirm(known, holder).move];
    }
    if (definition.allocator !== undefined) throw outsideChooses(definition);
    return [this.#book.plan({ value: cidr, holder }).move];
  }

  leave(network: NetworkId, cidr: Subnet['cidr']): readonly PoolMove[] {
    const known = this.#book.pools.having(cidr)?.of(cidr);
    return known !== undefined && isHeldBy(known, network) ? [this.#book.rest(known).move] : [];
  }

  leaveAll(network: NetworkId): readonly PoolMove[] {
    return this.#book
      .list()
      .filter((allocation) => isHeldBy(allocation, network))
      .map((allocation) => this.#book.rest(allocation).move);
  }

  leap(): readonly PoolMove[] {
    return this.#book.pools.all.map((grants) => grants.leap());
  }
}

/** Allocated or reserved for the network. */
function isHeldBy({ holder, state }: Allocation, network: NetworkId): boolean {
  return state !== 'resting' && holder.kind === 'network' && holder.id === network;
}

/** A block of a pool of subnets, as a network has it. */
function cidrOf(value: string): Ipv4Cidr | Ipv6Cidr {
  if (isCidr(value)) return value;
  throw new MeshError('MESH_INTERNAL', `${value} is no subnet`);
}

/** The book has checked the value against its pool. */
function isCidr(value: string): value is Ipv4Cidr | Ipv6Cidr {
  return value.includes('/');
}
