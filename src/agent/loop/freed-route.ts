/** When a static route is tried again that a route of another program was in the way of. */
import type { KernelEvent } from '../../kernel/rtnl/objects.ts';
import type { Item } from '../items/item.ts';

/** Whether an event of the kernel may have cleared the way of a static route that was refused. */
export function mayFreeRoute(event: KernelEvent, item: Item | undefined): boolean {
  if (item?.kind !== 'static-route') return false;
  if (event.type === 'route') return event.removed && event.route.destination === item.destination;
  // Routes of IPv4 go with their address or link, and are not told.
  return (event.type === 'address' && event.removed) || (event.type === 'link' && (event.removed || !event.link.up));
}
