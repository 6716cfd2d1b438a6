/** Routes to other underlay segments, with host0 as the gateway. */
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import { VXLAN_PORT } from '../../model/network/types/vxlan.ts';
import type { ItemKind, Operation } from './item-kind.ts';
import { OUR_PROTOCOL } from './mark.ts';
import { RANK } from './rank.ts';

/** The main routing table (rtnetlink.h, RT_TABLE_MAIN). Earlier agents put their routes there. */
export const MAIN_TABLE = 254;
/** The routing table for VXLAN packets, which rules lead to (rule.ts). A number that people recognize. */
export const VXLAN_TABLE = VXLAN_PORT;

/** An IPv4 route through host0. */
export interface RouteItem {
  readonly kind: 'route';
  /** The subnet of the other segment. */
  readonly destination: Ipv4Cidr;
  /** host0's address on this node's segment. */
  readonly gateway: Ipv4;
  /** VXLAN_TABLE; MAIN_TABLE for a route of an earlier agent. */
  readonly table: number;
}

/** Routes carry OUR_PROTOCOL as their mark. */
export const routeKind: ItemKind<RouteItem> = {
  key: ({ destination, table }) => `route:${destination}${table === VXLAN_TABLE ? '' : ` table ${table}`}`,
  dependsOn: () => [],
  rank: () => RANK.route,
  differences: (have, want) => (have.gateway === want.gateway ? [] : [`via ${have.gateway} → ${want.gateway}`]),
  mustRecreate: () => false,
  print: (item) => `ip route replace ${textOf(item)}`,
  printRemove: (item) => `ip route delete ${textOf(item)}`,
  create: (item) => operation('route-replace', item),
  change: (_, item) => operation('route-replace', item),
  remove: (item) => operation('route-delete', item),
};

function operation(verb: 'route-replace' | 'route-delete', { destination, gateway, table }: RouteItem): Operation[] {
  return [{ do: verb, destination, gateway, table, protocol: OUR_PROTOCOL }];
}

function textOf({ destination, gateway, table }: RouteItem): string {
  return `${destination} via ${gateway} table ${table} proto ${OUR_PROTOCOL}`;
}
