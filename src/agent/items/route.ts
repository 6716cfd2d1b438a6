/** A route to another underlay segment, by way of host0. */
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { ItemKind } from './item-kind.ts';
import { OUR_PROTOCOL } from './mark.ts';

export interface RouteItem {
  readonly kind: 'route';
  readonly destination: Ipv4Cidr;
  readonly gateway: Ipv4;
}

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
