/** Routes of the control socket for the ports that host0 places on nodes. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { PortOrders } from '../../controller/assignments/port-orders.ts';
import { isUnicastMac } from '../../model/address/mac.ts';
import { DeviceShape } from '../../protocol/shapes/parts.ts';
import { formed } from '../formed.ts';

const Id = z.object({ id: z.string().min(1).max(16) });
const Place = z.object({ node: z.string().min(1).max(64), interface: formed(DeviceShape).optional() });
const Order = Place.extend({
  network: z.string().min(1).max(100),
  mac: z.string().refine(isUnicastMac, 'no Ethernet address of one station').optional(),
});

/** Adds `/v1/ports`, and the changes of ports below it. */
export function addPortRoutes(app: FastifyInstance, ports: PortOrders): void {
  app.get('/v1/ports', () => ports.list());
  app.post('/v1/ports', ({ body }) => {
    const { network, node, interface: link, mac } = Order.parse(body);
    return ports.create({ network, node, ...(link && { interface: link }), ...(mac && isUnicastMac(mac) && { mac }) });
  });
  app.post('/v1/ports/:id/move', ({ params, body }) => {
    const { node, interface: link } = Place.parse(body);
    return ports.move(Id.parse(params).id, { node, ...(link && { interface: link }) });
  });
  app.delete('/v1/ports/:id', ({ params }) => ports.remove(Id.parse(params).id));
}
