/** What host0 answers of the IPv4 addresses of virtual machines. */
import type { AddressMaps } from '../../controller/services/address-maps.ts';
import type { RouteHandlers } from '../../protocol/calls/route-server.ts';
import type { ADDRESS_ROUTES } from '../../protocol/routes/address-routes.ts';

/** The handlers of addresses. */
export function addressHandlers(
  maps: Pick<AddressMaps, 'list' | 'map' | 'unmap'>,
): RouteHandlers<typeof ADDRESS_ROUTES> {
  return {
    'GET /v1/addresses': () => maps.list(),
    'POST /v1/addresses': ({ body: { vm, ipv4 } }) => maps.map(vm, ipv4),
    'DELETE /v1/addresses/{name}': ({ path: { name } }) => maps.unmap(name),
  };
}
