/** What host0 answers of owners and orders. */
import type { Orders } from '../../controller/orders/orders.ts';
import type { Owners } from '../../controller/owners/owners.ts';
import type { RouteHandlers } from '../../protocol/calls/route-server.ts';
import { isSettled } from '../../protocol/documents/order/order.ts';
import type { ORDER_ROUTES } from '../../protocol/routes/order/order-routes.ts';

/** The parts of host0 that the handlers answer from. */
export interface OrderHandlersInput {
  readonly owners: Owners;
  readonly orders: Orders;
}

/** The handlers of owners and orders. */
export function orderHandlers({ owners, orders }: OrderHandlersInput): RouteHandlers<typeof ORDER_ROUTES> {
  return {
    'GET /v1/owners': () => owners.list(),
    'POST /v1/owners': ({ body }) => owners.create(body),
    'GET /v1/owners/{name}': ({ path: { name } }) => owners.show(name),
    'POST /v1/owners/{name}/announce': ({ path: { name } }) => owners.announce(name),
    'DELETE /v1/owners/{name}': ({ path: { name }, query: { force } }) => owners.remove(name, { force }),
    'GET /v1/orders': ({ query: { owner } }) => orders.list(owner),
    'POST /v1/orders': ({ body, query }) => orders.create(body, { dryRun: query['dry-run'] }),
    'GET /v1/orders/{id}': ({ path: { id } }) => orders.show(id),
    'GET /v1/orders/{id}/follow': ({ path: { id } }, open) => {
      orders.show(id);
      const stream = open();
      let sent = '';
      const tell = () => {
        const view = orders.list().find((order) => order.id === id);
        // It was forgotten, and nothing follows.
        if (view === undefined) return stream.end();
        const data = JSON.stringify(view);
        if (data !== sent) stream.send({ event: 'order', data });
        sent = data;
        if (isSettled(view)) stream.end();
      };
      stream.onClose(orders.changes.subscribe((changed) => changed === id && tell()));
      tell();
    },
    'POST /v1/orders/{id}/cancel': ({ path: { id } }) => orders.cancel(id),
    'DELETE /v1/orders/{id}': ({ path: { id } }) => orders.forget(id),
  };
}
