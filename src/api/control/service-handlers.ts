/** What host0 answers of the services of networks. */
import type { ServiceOrders } from '../../controller/services/service-orders.ts';
import type { RouteHandlers } from '../../protocol/calls/route-server.ts';
import type { SERVICE_ROUTES } from '../../protocol/routes/service-routes.ts';

/** The handlers of services. */
export function serviceHandlers(services: ServiceOrders): RouteHandlers<typeof SERVICE_ROUTES> {
  return {
    'GET /v1/catalogue/{name}/services': ({ path: { name } }) => services.list(name),
    'GET /v1/catalogue/{name}/services/follow': ({ path: { name } }, open) => {
      let sent = JSON.stringify(services.list(name));
      const stream = open();
      stream.send({ event: 'services', data: sent });
      stream.onClose(
        services.subscribe(() => {
          const data = JSON.stringify(services.list(name));
          if (data === sent) return;
          sent = data;
          stream.send({ event: 'services', data });
        }),
      );
    },
    'PUT /v1/catalogue/{name}/services': ({ path: { name }, body }) => services.set(name, body),
    'DELETE /v1/catalogue/{name}/services/{kind}': ({ path: { name, kind } }) => services.remove(name, kind),
  };
}
