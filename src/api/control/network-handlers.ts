/** What host0 answers of the catalogue of networks. */
import type { NetworkCatalogue } from '../../controller/catalogue/network-catalogue.ts';
import type { WrittenNetworks } from '../../controller/catalogue/written-networks.ts';
import type { AddressOrders } from '../../controller/ipam/address-orders.ts';
import type { MulticastWatch } from '../../controller/multicast/multicast-watch.ts';
import type { RouteHandlers } from '../../protocol/calls/route-server.ts';
import type { CATALOGUE_ROUTES } from '../../protocol/routes/catalogue-routes.ts';

/** The parts of host0 beside the catalogue that know of networks. */
export interface NetworkHandlersInput {
  /** Reserves the subnets that outside allocators choose. Absent: there are no address pools. */
  readonly addresses?: Pick<AddressOrders, 'createNetwork' | 'editNetwork' | 'applyNetwork'>;
  /** Between which nodes of a network multicast passes. Absent: nobody knows. */
  readonly multicast?: Pick<MulticastWatch, 'viewOf'>;
  /** The documents that people write into the store. Absent: there are none. */
  readonly written?: Pick<WrittenNetworks, 'refused'>;
}

/** The handlers of the catalogue. */
export function networkHandlers(
  catalogue: NetworkCatalogue,
  { addresses, multicast, written }: NetworkHandlersInput = {},
): RouteHandlers<typeof CATALOGUE_ROUTES> {
  return {
    'GET /v1/catalogue': () => catalogue.views(),
    'GET /v1/refused-documents': () => written?.refused() ?? [],
    'GET /v1/catalogue/{name}': ({ path: { name } }) => {
      const view = catalogue.find(name);
      const reach = multicast?.viewOf(view.network);
      return reach === undefined ? view : { ...view, multicast: reach };
    },
    'POST /v1/catalogue': ({ body, query }) => {
      const options = optionsOf(query);
      return addresses?.createNetwork(body, options) ?? catalogue.create(body, options);
    },
    'PUT /v1/catalogue': ({ body, query }) => {
      const options = optionsOf(query);
      return addresses?.applyNetwork(body, options) ?? catalogue.apply(body, options);
    },
    'PATCH /v1/catalogue/{name}': ({ path: { name }, body, query }) => {
      const options = optionsOf(query);
      return addresses?.editNetwork(name, body, options) ?? catalogue.edit(name, body, options);
    },
    'POST /v1/catalogue/{name}/start': ({ path: { name }, query }) => catalogue.start(name, optionsOf(query)),
    'POST /v1/catalogue/{name}/stop': ({ path: { name }, query }) => catalogue.stop(name, optionsOf(query)),
    'DELETE /v1/catalogue/{name}': ({ path: { name }, query }) =>
      catalogue.remove(name, { ...optionsOf(query), force: query.force }),
  };
}

function optionsOf(query: { readonly 'dry-run': boolean }): { readonly dryRun: boolean } {
  return { dryRun: query['dry-run'] };
}
