/** The step that gives the network of an order an IPv6 /64 of an address pool. */
import { MeshError } from '../../model/error.ts';
import type { Order, StepMade } from '../../protocol/documents/order/order.ts';
import type { NetworkCatalogue } from '../catalogue/network-catalogue.ts';
import type { AddressOrders } from '../ipam/address-orders.ts';
import { networkMadeBy, orderedNetworkOf } from './network-step.ts';
import type { StepWork, WorkOutcome } from './step-work.ts';

const KIND = 'ipv6-prefix';

/** Takes prefixes of the pools. The mark of the order is the id of the allocation. */
export class PrefixStep implements StepWork {
  readonly #catalogue: Pick<NetworkCatalogue, 'find'>;
  readonly #addresses: Pick<AddressOrders, 'allocate' | 'release' | 'createNetwork'>;

  constructor(
    addresses: Pick<AddressOrders, 'allocate' | 'release' | 'createNetwork'>,
    catalogue: Pick<NetworkCatalogue, 'find'>,
  ) {
    this.#addresses = addresses;
    this.#catalogue = catalogue;
  }

  words({ wish }: Pick<Order, 'wish'>): string {
    const pool = poolOf(wish);
    return `take an IPv6 /64 ${pool === undefined ? 'of any pool' : `of pool ${pool}`}`;
  }

  async check(order: Pick<Order, 'wish' | 'owner'>): Promise<void> {
    const addressPools = [wishOf(order.wish)];
    await this.#addresses.createNetwork({ ...orderedNetworkOf(order), addressPools }, { dryRun: true });
  }

  async do(order: Order): Promise<WorkOutcome> {
    const network = networkMadeBy(order);
    // The network had no subnet when the order made it: one that is there is that of an earlier attempt, whose answer was lost.
    const [known] = this.#catalogue.find(network).network.subnets;
    if (known !== undefined) return { made: { prefix: known.cidr } };
    const { value, pool } = await this.#addresses.allocate({ ...wishOf(order.wish), id: order.mark, network });
    return { made: { ...(value !== undefined && { prefix: value }), pool } };
  }

  async undo(order: Order, _made: StepMade): Promise<string | undefined> {
    try {
      await this.#addresses.release(order.mark);
      return undefined;
    } catch (error) {
      if (!(error instanceof MeshError)) throw error;
      if (error.code === 'MESH_IPAM_UNKNOWN') return undefined;
      if (error.code === 'MESH_NET_IN_USE') return error.message;
      throw error;
    }
  }
}

function wishOf(wish: Order['wish']): { readonly kind: typeof KIND; readonly pool?: string } {
  const pool = poolOf(wish);
  return { kind: KIND, ...(pool !== undefined && { pool }) };
}

function poolOf(wish: Order['wish']): string | undefined {
  return wish.kind === 'ipv6-network' ? wish.pool : undefined;
}
