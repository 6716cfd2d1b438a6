/** Static routes of a network: subnets that this node reaches through an address in the network, such as that of a guest that routes. */
import type { Ip } from '../../../kernel/ip.ts';
import type { NetworkId } from '../../../model/network/number.ts';
import type { ItemKind, Operation } from '../item-kind.ts';
import { linkKey } from '../link.ts';
import { OUR_PROTOCOL } from '../mark.ts';
import { RANK } from '../rank.ts';

/**
 * One route over the bridge of a network. A route that the kernel refuses leaves the network as it is: the failure is told, and the network
 * works without the route.
 */
export interface StaticRouteItem {
  readonly kind: 'static-route';
  /** The network, by another name than that of items without which a network does not work. */
  readonly of: NetworkId;
  /** Name of the bridge. */
  readonly link: string;
  /** `address/length`, of either family. */
  readonly destination: string;
  readonly gateway: Ip;
  /** Of the kernel's own choice when absent. */
  readonly metric?: number;
}

/** The metric that the kernel gives to IPv6 routes (IP6_RT_PRIO_USER). */
const METRIC_IPV6 = 1_024;

/** The metric that the kernel shows for a route. */
export function routeMetric(destination: string, metric: number | undefined): number {
  return metric ?? (destination.includes(':') ? METRIC_IPV6 : 0);
}

/** Routes carry OUR_PROTOCOL as their mark. */
export const staticRouteKind: ItemKind<StaticRouteItem> = {
  key: ({ link, destination, metric }) => `static-route:${link} ${destination} ${routeMetric(destination, metric)}`,
  dependsOn: ({ of }) => [linkKey('bridge', of)],
  rank: () => RANK.route,
  differences: (have, want) => (have.gateway === want.gateway ? [] : [`via ${have.gateway} → ${want.gateway}`]),
  mustRecreate: () => false,
  print: (item) => `ip route add ${textOf(item)}`,
  printChange: (_, item) => `ip route replace ${textOf(item)}`,
  printRemove: (item) => `ip route delete ${textOf(item)}`,
  // A route of another program to the same destination stays: to replace it would leave the host without one at the end.
  create: (item) => operation('route-replace', item).map((one) => ({ ...one, onlyNew: true as const })),
  change: (_, item) => operation('route-replace', item),
  remove: (item) => operation('route-delete', item),
};

function operation(
  verb: 'route-replace' | 'route-delete',
  { link, destination, gateway, metric }: StaticRouteItem,
): Operation[] {
  return [{ do: verb, destination, gateway, link, protocol: OUR_PROTOCOL, ...(metric !== undefined && { metric }) }];
}

function textOf({ link, destination, gateway, metric }: StaticRouteItem): string {
  const words = metric === undefined ? '' : ` metric ${metric}`;
  return `${destination} via ${gateway} dev ${link}${words} proto ${OUR_PROTOCOL}`;
}
