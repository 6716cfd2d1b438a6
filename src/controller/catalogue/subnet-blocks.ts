/** What the catalogue needs of address management: the subnets of networks are blocks of address pools, as far as pools have them. */
import { MeshError } from '../../model/error.ts';
import { POOL_KINDS, type PoolKind } from '../../model/ipam/address-pool.ts';
import { AllocationIdShape } from '../../model/ipam/allocation.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { Subnet } from '../../model/network/subnet.ts';
import * as form from '../../protocol/shapes/form.ts';
import type { PoolMove } from '../pools/pool.ts';

/** A network that takes or gives blocks. */
export interface BlockHolder {
  readonly id: NetworkId;
  readonly name: string;
}

/** A block that an order wants for a network. */
export interface BlockWish {
  /** A pool, a kind of pools, or a value. */
  readonly pool?: string;
  readonly kind?: PoolKind;
  readonly value?: string;
  /** The id of the allocation, if the order knows it. A block that was reserved with this id is taken. */
  readonly id?: string;
}

const WishShape: form.Shape<BlockWish> = form.object({
  pool: form.exactOptional(form.string({ max: 100 })),
  kind: form.exactOptional(form.oneOf(POOL_KINDS)),
  value: form.exactOptional(form.string({ max: 64 })),
  id: form.exactOptional(AllocationIdShape),
});
/** A network has an IPv6 prefix and an IPv4 subnet; more are for those who renumber it. */
const WISHES_MAX = 16;
const WishesShape: form.Shape<BlockWish[]> = form.listOf(
  form.union([form.mapped(form.string({ max: 100 }), (pool): BlockWish => ({ pool })), WishShape]),
  WISHES_MAX,
);

/** The blocks that an order wants: `addressPools` is a list of names of pools, or of objects. @throws MESH_USAGE */
export function wishesIn(addressPools: unknown = []): readonly BlockWish[] {
  try {
    return WishesShape.read(addressPools, true);
  } catch {
    throw new MeshError('MESH_USAGE', 'addressPools is no list of address pools', {
      rule: `An order names its address pools in a list of at most ${WISHES_MAX}: ["POOL"], or [{"pool": "POOL"}].`,
    });
  }
}

/** Plans what happens to blocks. The moves are part of the transaction that writes the network. */
export interface SubnetBlocks {
  /**
   * A block for each wish.
   * @param known subnets of the network that fulfil a wish without an id, so that a document can be applied again
   * @throws MESH_IPAM_*; what was taken by then is in `moves`
   */
  pick(
    network: BlockHolder,
    wishes: readonly BlockWish[],
    known: readonly Subnet[],
    moves: PoolMove[],
  ): readonly Subnet['cidr'][];
  /** Takes a subnet that the document of a network names, if a pool has it. @throws MESH_IPAM_* */
  claim(network: BlockHolder, cidr: Subnet['cidr']): readonly PoolMove[];
  /** Gives a subnet back that a network has no more, if a pool has it. */
  leave(network: NetworkId, cidr: Subnet['cidr']): readonly PoolMove[];
  /** Gives back all blocks of a network that goes. */
  leaveAll(network: NetworkId): readonly PoolMove[];
  /** Moves the pools on, past blocks that the store may have given out and lost. */
  leap(): readonly PoolMove[];
}

/** For a host0 without address pools. */
export const NO_BLOCKS: SubnetBlocks = {
  pick: () => [],
  claim: () => [],
  leave: () => [],
  leaveAll: () => [],
  leap: () => [],
};
