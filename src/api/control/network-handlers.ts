/** What host0 answers of the catalogue of networks. */
import type { NetworkCatalogue } from '../../controller/catalogue/network-catalogue.ts';
import type { AddressOrders } from '../../controller/ipam/address-orders.ts';
import type { MulticastWatch } from '../../controller/multicast/multicast-watch.ts';
import type { RouteHandlers } from '../../protocol/calls/route-server.ts';
import type { CATALOGUE_ROUTES } from '../../protocol/routes/catalogue-routes.ts';

/**
 * The handlers of the catalogue.
 * @param addresses reserves subnets first that outside allocators choose
 * @param multicast between which nodes of a network multicast passes; absent: nobody knows
 */
export function networkHandlers(
  catalogue: NetworkCatalogue,
  addresses: Pick<AddressOrders, 'createNetwork' | 'editNetwork'>,
  multicast?: Pick<MulticastWatch, 'viewOf'>,
): RouteHandlers<typeof CATALOGUE_ROUTES> {
  return {
    'GET /v1/catalogue': () => catalogue.views(),
    'GET /v1/catalogue/{name}': ({ path: { name } }) => {
      const view = catalogue.find(name);
      const reach = multicast?.viewOf(view.network);
      return reach === undefined ? view : { ...view, multicast: reach };
    },
    'POST /v1/catalogue': ({ body, query }) => addresses.createNetwork(body, optionsOf(query)),
    'PUT /v1/catalogue': ({ body, query }) => catalogue.apply(body, optionsOf(query)),
    'PATCH /v1/catalogue/{name}': ({ path: { name }, body, query }) =>
      addresses.editNetwork(name, body, optionsOf(query)),
    'POST /v1/catalogue/{name}/start': ({ path: { name }, query }) => catalogue.start(name, optionsOf(query)),
    'POST /v1/catalogue/{name}/stop': ({ path: { name }, query }) => catalogue.stop(name, optionsOf(query)),
    'DELETE /v1/catalogue/{name}': ({ path: { name }, query }) =>
      catalogue.remove(name, { ...optionsOf(query), force: query.force }),
  };
}

function optionsOf(query: { readonly 'dry-run': boolean }): { readonly dryRun: boolean } {
  return { dryRun: query['dry-run'] };
}
