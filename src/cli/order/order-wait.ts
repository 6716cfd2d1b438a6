/** Follows an order until it is done or undone. */
import { MeshError } from '../../model/error.ts';
import { host0Client } from '../../protocol/calls/control-client.ts';
import { isSettled, type OrderView } from '../../protocol/documents/order/order.ts';
import type { Context } from '../context.ts';
import { printable } from '../print/printable.ts';
import { Stages } from '../print/stages.ts';
import { orderStateText, subjectOf } from './order-text.ts';

/** What takes less than a second leaves no line. */
const SOON_MS = 1_000;

/** Shows how an order goes, and resolves at its end. @throws MESH_NOT_RUNNING when host0 ends before */
export async function followOrder(context: Context, id: number): Promise<OrderView> {
  using stages = new Stages(context.stderr, SOON_MS);
  for await (const order of host0Client(context.paths).events('GET /v1/orders/{id}/follow', { path: { id } })) {
    if (isSettled(order)) {
      stages.end();
      return order;
    }
    stages.show(printable(`Order ${id}, ${subjectOf(order)}: ${orderStateText(order)}`));
  }
  throw new MeshError('MESH_NOT_RUNNING', `host0 ended before order ${id} was at its end`, {
    object: String(id),
    remedy: `Nothing is lost: host0 goes on when it is back. See \`mesh order show ${id}\`.`,
    retryable: true,
  });
}
