/**
 * Items: the things that the agent owns on a node. Observed and desired state are maps of them, and every kind says how
 * its items are told apart, compared, ordered, printed and made. The plan knows nothing else.
 */
import type { KernelOperation } from '../../kernel/rtnl/operation.ts';
import type { NetworkId } from '../../model/network/network.ts';
import { type AddressItem, addressKind } from './address.ts';
import { type FdbItem, fdbKind } from './fdb.ts';
import { type LinkItem, linkKind } from './link.ts';
import { type NeighbourItem, neighbourKind } from './neighbour.ts';
import { type PortItem, portKind } from './port.ts';
import { type RouteItem, routeKind } from './route.ts';
import { type RulesetItem, rulesetKind } from './ruleset.ts';
import { type SysctlItem, sysctlKind } from './sysctl.ts';
import { type WireItem, wireKind } from './wire.ts';
import { type WireAddressItem, wireAddressKind } from './wire-address.ts';

export type Item =
  | LinkItem
  | PortItem
  | AddressItem
  | RouteItem
  | NeighbourItem
  | FdbItem
  | SysctlItem
  | RulesetItem
  | WireItem
  | WireAddressItem;

/** Unique among the items of a node: `bridge:mesh-456`, `fdb:vxlan456 self 02:… 10.11.0.2`. */
export type ItemKey = string;

/** What one step asks for: of rtnetlink, of /proc/sys, of nftables, or of the reaper (links are not deleted in line). */
export type Operation =
  | KernelOperation
  | { readonly do: 'sysctl'; readonly path: readonly string[]; readonly value: string }
  | { readonly do: 'nft'; readonly script: string }
  | { readonly do: 'doom'; readonly link: string };

export interface ItemKind<T> {
  key(item: T): ItemKey;
  /** Items that must be there before this one, and that take it with them when they go. */
  dependsOn(item: T): readonly ItemKey[];
  /** Lower ranks are made first and removed last. */
  rank(item: T): number;
  /** The rank of a change in place, where that is another. */
  rankOfChange?(have: T, want: T): number;
  /** What differs, for people: `mtu 1400 → 1380`. Empty when the two are equal. */
  differences(have: T, want: T): readonly string[];
  /** Whether the difference cannot be changed in place. */
  mustRecreate(have: T, want: T): boolean;
  /** The one command that an administrator would type to make it. */
  print(item: T): string;
  /** The one that would change it, where that is another. */
  printChange?(have: T, want: T): string;
  create(item: T): readonly Operation[];
  change(have: T, want: T): readonly Operation[];
  remove(item: T): readonly Operation[];
}

const KINDS: { readonly [K in Item['kind']]: ItemKind<Extract<Item, { kind: K }>> } = {
  link: linkKind,
  port: portKind,
  address: addressKind,
  route: routeKind,
  neighbour: neighbourKind,
  fdb: fdbKind,
  sysctl: sysctlKind,
  ruleset: rulesetKind,
  wire: wireKind,
  'wire-address': wireAddressKind,
};

export const ITEM_KINDS = Object.keys(KINDS) as readonly Item['kind'][];

/** The kind of an item. The cast is sound: the table maps each kind's name to the kind of exactly those items. */
export function kindOf(item: Item): ItemKind<Item> {
  return KINDS[item.kind] as unknown as ItemKind<Item>;
}

export function itemKey(item: Item): ItemKey {
  return kindOf(item).key(item);
}

export type ItemMap = ReadonlyMap<ItemKey, Item>;

export function itemMap(items: Iterable<Item>): Map<ItemKey, Item> {
  const map = new Map<ItemKey, Item>();
  for (const item of items) map.set(itemKey(item), item);
  return map;
}

/** The network that an item serves; none for what serves the whole node. */
export function networkOf(item: Item | undefined): NetworkId | undefined {
  return item !== undefined && 'network' in item ? item.network : undefined;
}
