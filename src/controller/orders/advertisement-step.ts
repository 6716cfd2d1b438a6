/** The step that has the routers announce the prefix of an order's network. It is done when all of them were heard doing so. */
import { MeshError } from '../../model/error.ts';
import type { Order } from '../../protocol/documents/order/order.ts';
import type { ServiceView } from '../../protocol/documents/service/service-view.ts';
import type { ServiceOrders } from '../services/service-orders.ts';
import { networkMadeBy } from './network-step.ts';
import type { StepWork, WorkOutcome } from './step-work.ts';

const RA = 'ra';

/** Gives networks router advertisements. */
export class AdvertisementStep implements StepWork {
  readonly #services: Pick<ServiceOrders, 'list' | 'set' | 'remove'>;

  constructor(services: Pick<ServiceOrders, 'list' | 'set' | 'remove'>) {
    this.#services = services;
  }

  words(): string {
    return 'have the routers announce it';
  }

  async check(): Promise<void> {
    // Routers may come later: the order waits for them.
  }

  async do(order: Order): Promise<WorkOutcome> {
    const network = networkMadeBy(order);
    const known = this.#known(network);
    if (known?.removing === true) return { waits: 'the routers still withdraw an earlier prefix' };
    const view = known ?? (await this.#services.set(network, { kind: RA }));
    if (view.state === 'ready') return { made: { service: RA, routers: routersOf(view) } };
    return { waits: view.why ?? `the routers do not announce ${network} yet` };
  }

  async undo(order: Order): Promise<string | undefined> {
    const network = networkMadeBy(order);
    const known = this.#known(network);
    if (known === undefined) return undefined;
    if (known.removing !== true) await this.#services.remove(network, RA);
    return this.#known(network) === undefined ? undefined : 'the routers withdraw the prefix';
  }

  #known(network: string): ServiceView | undefined {
    try {
      return this.#services.list(network).find(({ service }) => service.kind === RA);
    } catch (error) {
      // A network that was deleted has no services.
      if (error instanceof MeshError && error.code === 'MESH_NET_UNKNOWN') return undefined;
      throw error;
    }
  }
}

function routersOf({ nodes }: ServiceView): string {
  return nodes
    .filter(({ isReached }) => isReached)
    .map(({ node }) => node)
    .join(' ')
    .slice(0, 256);
}
