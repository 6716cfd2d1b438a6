/** Metrics of orders. */
import type { Registry } from '../../metrics/registry.ts';
import { ORDER_STATES, type Order } from '../../protocol/documents/order/order.ts';

/** Registers a gauge that counts the orders when the metrics are asked for. */
export function addOrderMetrics(registry: Registry, orders: () => readonly Pick<Order, 'state'>[]): void {
  registry.gauge({ name: 'meshwork_orders', help: 'Orders that host0 keeps, by state.', labels: ['state'] }, () => {
    const counts = Map.groupBy(orders(), ({ state }) => state);
    return ORDER_STATES.map((state) => ({ labels: { state }, value: counts.get(state)?.length ?? 0 }));
  });
}
