/**
 * Items: the things that the agent owns on a node. Observed and desired state are maps of items. The plan compares two
 * such maps and knows nothing else. This file has the union of all items and the table of their kinds.
 */
import type { NetworkId } from '../../model/network/number.ts';
import { type AddressItem, addressKind } from './address.ts';
import { type FdbItem, fdbKind } from './fdb.ts';
import { type FileItem, fileKind } from './file.ts';
import type { ItemKey, ItemKind, ItemOperation } from './item-kind.ts';
import { type LinkItem, linkKind } from './link.ts';
import { type NeighbourItem, neighbourKind } from './neighbour.ts';
import { type PortItem, portKind } from './port.ts';
import { type ProcessItem, processKind } from './process.ts';
import { type RouteItem, routeKind } from './route.ts';
import { type StaticRouteItem, staticRouteKind } from './routing/static-route.ts';
import { type RuleItem, ruleKind } from './rule.ts';
import { type RulesetItem, rulesetKind } from './ruleset.ts';
import { type SpaceItem, spaceKind } from './space/space-item.ts';
import { type SysctlItem, sysctlKind } from './sysctl.ts';
import { type UnderlayAddressItem, underlayAddressKind } from './underlay-address.ts';
import { type UnderlayLinkItem, underlayLinkKind } from './underlay-link.ts';

/** One thing that the agent owns in a kernel, or beside it; `kind` discriminates. Items are immutable. */
export type Item =
  | LinkItem
  | PortItem
  | AddressItem
  | RouteItem
  | StaticRouteItem
  | RuleItem
  | NeighbourItem
  | FdbItem
  | SysctlItem
  | RulesetItem
  | UnderlayLinkItem
  | UnderlayAddressItem
  | FileItem
  | ProcessItem
  | SpaceItem;

const KINDS: { readonly [K in Item['kind']]: ItemKind<Extract<Item, { kind: K }>, ItemOperation> } = {
  link: linkKind,
  port: portKind,
  address: addressKind,
  route: routeKind,
  'static-route': staticRouteKind,
  rule: ruleKind,
  neighbour: neighbourKind,
  fdb: fdbKind,
  sysctl: sysctlKind,
  ruleset: rulesetKind,
  'underlay-link': underlayLinkKind,
  'underlay-address': underlayAddressKind,
  file: fileKind,
  process: processKind,
  space: spaceKind,
};

/** The names of all kinds, as the metrics label them. */
export const ITEM_KINDS = Object.keys(KINDS) as readonly Item['kind'][];

/** The kind of an item. The cast is sound: the table maps each kind's name to the kind of exactly those items. */
export function kindOf(item: Item): ItemKind<Item, ItemOperation> {
  return KINDS[item.kind] as unknown as ItemKind<Item, ItemOperation>;
}

/** The key of an item, as its kind forms it. */
export function itemKey(item: Item): ItemKey {
  return kindOf(item).key(item);
}

/** Items by their own keys. */
export type ItemMap = ReadonlyMap<ItemKey, Item>;

/** A new map of the items by key. The last item of a key wins. */
export function itemMap(items: Iterable<Item>): Map<ItemKey, Item> {
  const map = new Map<ItemKey, Item>();
  for (const item of items) map.set(itemKey(item), item);
  return map;
}

/** The network that an item serves; undefined for an item that serves the whole node. */
export function networkOf(item: Item | undefined): NetworkId | undefined {
  return item !== undefined && 'network' in item ? item.network : undefined;
}

/**
 * Whether the agent's record alone says that the item may go. An observed port that is not desired is one that an
 * administrator has unplugged. Its removal waits neither for the networks nor for a member list.
 */
export function isRecorded({ kind }: Item): boolean {
  return kind === 'port';
}
