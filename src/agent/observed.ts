/** From the kernel's state to the items of ours that are in it. Pure. What is not marked as ours is not seen here. */
import type { Link } from '../kernel/objects.ts';
import { type Ipv4, type Ipv4Cidr, isIpv4 } from '../model/ipv4.ts';
import type { Ipv6 } from '../model/ipv6.ts';
import type { NetworkId } from '../model/network.ts';
import { type Item, type ItemKey, type ItemMap, itemKey, itemMap } from './items/item.ts';
import { type DeviceKind, OUR_LINK_GROUP, OUR_PROTOCOL, parseAlias } from './items/mark.ts';
import type { KernelCache } from './kernel-cache.ts';

/** A link of ours, and what it is to which network. */
interface OwnLink {
  readonly link: Link;
  readonly device: DeviceKind;
  readonly network: NetworkId;
}

/** The main routing table (rtnetlink.h, RT_TABLE_MAIN). */
const MAIN_TABLE = 254;

/**
 * Items in the kernel's links, addresses, routes and rows. Rulesets and plain settings are observed apart.
 * @param before what was desired in the last turn
 */
export function observedItems(cache: KernelCache, desired: ItemMap, before: ItemMap = desired): Map<ItemKey, Item> {
  const own = ownLinks(cache, desired);
  const items: Item[] = [];
  for (const { link, device, network } of own.values()) {
    items.push({
      kind: 'link',
      device,
      network,
      name: link.name,
      mac: link.mac,
      mtuBytes: link.mtuBytes,
      up: link.up,
      master: link.master === 0 ? '' : (cache.links.get(link.master)?.name ?? ''),
      group: link.group,
      alias: link.alias,
      addressMode: link.addressMode,
      conf: link.conf,
      ...(link.vxlan !== undefined && { vxlan: link.vxlan }),
    });
  }
  items.push(...addressItems(cache, own), ...neighbourItems(cache, own), ...fdbItems(cache, own, [desired, before]));
  items.push(...routeItems(cache), ...portItems(cache, desired), ...wireItems(cache, desired));
  return itemMap(items);
}

/**
 * Our links by index. The alias says whose a link is, so that a renamed one is found again; a link without one is ours
 * when it is in our group and has the name that we want, which is the state between the create and the second message.
 */
function ownLinks(cache: KernelCache, desired: ItemMap): Map<number, OwnLink> {
  const own = new Map<number, OwnLink>();
  const wantedByName = new Map<string, { device: DeviceKind; network: NetworkId }>();
  for (const item of desired.values()) if (item.kind === 'link') wantedByName.set(item.name, item);
  for (const link of cache.links.values()) {
    const marked = parseAlias(link.alias);
    const identity = marked ?? (link.group === OUR_LINK_GROUP ? wantedByName.get(link.name) : undefined);
    if (identity === undefined || link.kind !== identity.device) continue;
    own.set(link.index, { link, device: identity.device, network: identity.network });
  }
  return own;
}

/** On our bridges, only what looks like our own hand: a /64 IPv6 address without duplicate detection. */
function addressItems(cache: KernelCache, own: ReadonlyMap<number, OwnLink>): Item[] {
  const items: Item[] = [];
  for (const { link, family, address, length, nodad } of cache.addresses.values()) {
    const bridge = own.get(link);
    if (bridge?.device !== 'bridge' || family !== 6 || length !== 64 || !nodad) continue;
    items.push({ kind: 'address', network: bridge.network, link: bridge.link.name, address: address as Ipv6, length });
  }
  return items;
}

function neighbourItems(cache: KernelCache, own: ReadonlyMap<number, OwnLink>): Item[] {
  const items: Item[] = [];
  for (const { link, family, address, mac, protocol, state } of cache.neighbours.values()) {
    const bridge = own.get(link);
    if (bridge === undefined || family !== 6 || protocol !== OUR_PROTOCOL) continue;
    if (mac === undefined || state !== 'permanent') continue;
    items.push({ kind: 'neighbour', network: bridge.network, link: bridge.link.name, address: address as Ipv6, mac });
  }
  return items;
}

/** What is marked, and what stands unmarked where a row of ours is wanted, or was: a foreign hand can take the mark off. */
function fdbItems(cache: KernelCache, own: ReadonlyMap<number, OwnLink>, wanted: readonly ItemMap[]): Item[] {
  const items: Item[] = [];
  for (const { link, table, mac, destination, state, externLearn: marked } of cache.fdb.values()) {
    const vxlan = own.get(link);
    if (vxlan?.device !== 'vxlan' || (destination !== undefined && !isIpv4(destination))) continue;
    const item: Item = {
      kind: 'fdb',
      table,
      network: vxlan.network,
      link: vxlan.link.name,
      mac,
      state,
      marked,
      ...(destination !== undefined && { destination }),
    };
    if (marked || (table === 'self' && wanted.some((map) => map.has(itemKey(item))))) items.push(item);
  }
  return items;
}

function routeItems(cache: KernelCache): Item[] {
  const items: Item[] = [];
  for (const { family, table, protocol, destination, gateway } of cache.routes.values()) {
    if (family !== 4 || table !== MAIN_TABLE || protocol !== OUR_PROTOCOL || gateway === undefined) continue;
    items.push({ kind: 'route', destination: destination as Ipv4Cidr, gateway: gateway as Ipv4 });
  }
  return items;
}

/** Foreign ports count only while they are wanted: taking one off a bridge is its owner's business. */
function portItems(cache: KernelCache, desired: ItemMap): Item[] {
  const items: Item[] = [];
  for (const item of desired.values()) {
    if (item.kind !== 'port') continue;
    const link = cache.linkNamed(item.link);
    const bridge = link === undefined ? undefined : cache.links.get(link.master);
    if (bridge !== undefined) items.push({ ...item, bridge: bridge.name });
  }
  return items;
}

/** Ports of the underlay count only while they are wanted; addresses there when they carry our mark, or are wanted. */
function wireItems(cache: KernelCache, desired: ItemMap): Item[] {
  const items: Item[] = [];
  for (const item of desired.values()) {
    const link = item.kind === 'wire' ? cache.linkNamed(item.link) : undefined;
    if (item.kind === 'wire' && link !== undefined) items.push({ ...item, up: link.up });
  }
  for (const { family, link: index, address, length, protocol } of cache.addresses.values()) {
    const link = cache.links.get(index)?.name;
    if (family !== 4 || link === undefined) continue;
    const item: Item = { kind: 'wire-address', link, address: address as Ipv4, length };
    if (protocol === OUR_PROTOCOL || desired.has(itemKey(item))) items.push(item);
  }
  return items;
}

/** Why a network cannot be made on this node: a device that is not ours stands in its place. */
export interface Obstacle {
  readonly network: NetworkId;
  readonly device: string;
  readonly reason: 'name' | 'vni';
}

/** Foreign devices with a name or VNI that we want. They are named and left alone. */
export function obstacles(cache: KernelCache, desired: ItemMap): Obstacle[] {
  const found: Obstacle[] = [];
  const own = ownLinks(cache, desired);
  const foreign = [...cache.links.values()].filter((link) => !own.has(link.index));
  const byName = new Map(foreign.map((link) => [link.name, link]));
  const byVni = new Map(foreign.flatMap((link) => (link.vxlan === undefined ? [] : [[vniKey(link.vxlan), link]])));
  for (const item of desired.values()) {
    if (item.kind !== 'link') continue;
    const namesake = byName.get(item.name);
    if (namesake !== undefined) found.push({ network: item.network, device: namesake.name, reason: 'name' });
    const rival = item.vxlan === undefined ? undefined : byVni.get(vniKey(item.vxlan));
    // A doomed link of ours holds its VNI until the kernel has let it go; the reaper sees to it.
    if (rival !== undefined && rival !== namesake && !rival.alias.startsWith('meshwork:')) {
      found.push({ network: item.network, device: rival.name, reason: 'vni' });
    }
  }
  return found;
}

function vniKey({ vni, udpPort }: { vni: number; udpPort: number }): string {
  return `${vni} ${udpPort}`;
}
