/** What host0 answers of address pools and allocations. */
import type { AddressOrders } from '../../controller/ipam/address-orders.ts';
import type { RouteHandlers } from '../../protocol/calls/route-server.ts';
import type { IPAM_ROUTES } from '../../protocol/routes/ipam/ipam-routes.ts';

/** The handlers of address management. */
export function ipamHandlers(addresses: AddressOrders): RouteHandlers<typeof IPAM_ROUTES> {
  return {
    'GET /v1/ipam/pools': () => addresses.pools(),
    'POST /v1/ipam/pools': ({ body }) => addresses.createPool(body),
    'DELETE /v1/ipam/pools/{name}': ({ path, query }) => addresses.deletePool(path.name, query.force),
    'GET /v1/ipam/allocations': ({ query }) => addresses.list(query.pool),
    'POST /v1/ipam/allocations': ({ body }) => addresses.allocate(body),
    'DELETE /v1/ipam/allocations/{wanted}': ({ path }) => addresses.release(path.wanted),
    'GET /v1/ipam/check': () => addresses.check(),
  };
}
