/** The step that makes the network of an order. */
import { MeshError } from '../../model/error.ts';
import type { Network } from '../../model/network/network.ts';
import { hexNumber } from '../../model/network/number.ts';
import type { NetworkOrder } from '../../protocol/documents/catalogue.ts';
import type { NetworkWish, Order, StepMade } from '../../protocol/documents/order/order.ts';
import type { NetworkCatalogue } from '../catalogue/network-catalogue.ts';
import type { StepWork, WorkOutcome } from './step-work.ts';

/** The label of a network that an order has made: the number of the order. */
export const ORDER_LABEL = 'order';

/** Makes networks in the catalogue. */
export class NetworkStep implements StepWork {
  readonly #catalogue: Pick<NetworkCatalogue, 'loaded' | 'views' | 'create' | 'remove'>;

  constructor(catalogue: Pick<NetworkCatalogue, 'loaded' | 'views' | 'create' | 'remove'>) {
    this.#catalogue = catalogue;
  }

  words({ wish }: Pick<Order, 'wish'>): string {
    return `make network ${wishOf(wish).name}`;
  }

  async check(order: Pick<Order, 'wish' | 'owner'>): Promise<void> {
    await this.#catalogue.create(orderedNetworkOf(order), { dryRun: true });
  }

  async do(order: Order): Promise<WorkOutcome> {
    if (!this.#catalogue.loaded) return { waits: 'host0 has not read its networks yet' };
    const known = this.#madeBy(order);
    if (known !== undefined) return { made: madeOf(known) };
    const { network } = await this.#catalogue.create({
      ...orderedNetworkOf(order),
      uuid: order.mark,
      labels: { [ORDER_LABEL]: String(order.id) },
    });
    return { made: madeOf(network) };
  }

  async undo(order: Order): Promise<string | undefined> {
    if (!this.#catalogue.loaded) return 'host0 has not read its networks yet';
    const known = this.#madeBy(order);
    if (known === undefined) return undefined;
    try {
      await this.#catalogue.remove(known.id);
      return undefined;
    } catch (error) {
      if (error instanceof MeshError && error.code === 'MESH_NET_IN_USE') return error.message;
      throw error;
    }
  }

  /** The network of this order, whatever it is called now. One that is being deleted is gone as far as the order goes. */
  #madeBy({ mark }: Order): Network | undefined {
    const views = this.#catalogue.views().filter(({ activity }) => activity.phase !== 'deleting');
    return views.find(({ network }) => network.uuid === mark)?.network;
  }
}

/** The identifier of the network that an order has made; its name where the order has not come so far. */
export function networkMadeBy({ steps, wish }: Pick<Order, 'steps' | 'wish'>): string {
  return steps.find(({ kind }) => kind === 'network')?.made.networkid ?? wishOf(wish).name;
}

function wishOf(wish: Order['wish']): NetworkWish {
  if (wish.kind === 'vm') throw new TypeError(`an order of the kind ${wish.kind} makes no network`);
  return wish;
}

/** The network that an order asks for, without addresses. */
export function orderedNetworkOf({ wish, owner }: Pick<Order, 'wish' | 'owner'>): NetworkOrder {
  const { name, peers, dev } = wishOf(wish);
  return {
    name,
    ...(owner !== undefined && { owner }),
    ...(peers !== undefined && { peers: { kind: peers } }),
    ...(dev !== undefined && { type: { kind: 'vxlan', dev } }),
  };
}

function madeOf({ id, name, number }: Network): StepMade {
  return { network: name, networkid: id, number: hexNumber(number) };
}
