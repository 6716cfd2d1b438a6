/** Routes to other underlay segments, with host0 as the gateway. */
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { ItemKind } from './item-kind.ts';
import { OUR_PROTOCOL } from './mark.ts';

/** An IPv4 route in the main table. */
export interface RouteItem {
  readonly kind: 'route';
  /** The subnet of the other segment. */
  readonly destination: Ipv4Cidr;
  /** host0's address on this node's segment. */
  readonly gateway: Ipv4;
}

/** Routes carry OUR_PROTOCOL as their mark. */
export const routeKind: ItemKind<RouteItem> = {
  key: (item) => `route:${item.destination}`,
  dependsOn: () => [],
  rank: () => 5,
  differences: (have, want) => (have.gateway === want.gateway ? [] : [`via ${have.gateway} → ${want.gateway}`]),
  mustRecreate: () => false,
  print: ({ destination, gateway }) => `ip route replace ${destination} via ${gateway} proto ${OUR_PROTOCOL}`,
  create: ({ destination, gateway }) => [{ do: 'route-replace', destination, gateway, protocol: OUR_PROTOCOL }],
  change: (_, { destination, gateway }) => [{ do: 'route-replace', destination, gateway, protocol: OUR_PROTOCOL }],
  remove: ({ destination, gateway }) => [{ do: 'route-delete', destination, gateway, protocol: OUR_PROTOCOL }],
};
