/** What host0 answers of the ports that it places on nodes. */
import type { PortOrders } from '../../controller/assignments/port-orders.ts';
import type { RouteHandlers } from '../../protocol/calls/route-server.ts';
import type { PORT_ROUTES } from '../../protocol/routes/port-routes.ts';

/** The handlers of ports. */
export function portHandlers(ports: PortOrders): RouteHandlers<typeof PORT_ROUTES> {
  return {
    'GET /v1/ports': () => ports.list(),
    'POST /v1/ports': ({ body }) => ports.create(body),
    'GET /v1/ports/{id}': ({ path }) => ports.show(path.id),
    'POST /v1/ports/{id}/move': ({ path, body }) => ports.move(path.id, body),
    'DELETE /v1/ports/{id}': ({ path }) => ports.remove(path.id),
  };
}
