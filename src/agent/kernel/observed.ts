/** Derives our items from the kernel's state. Pure. Objects without our mark are left out, with few exceptions. */

import type { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import type { Address, FdbEntry, Link, Neighbour, VxlanAttributes } from '../../kernel/rtnl/objects.ts';
import type { VxlanDevice } from '../../kernel/rtnl/operation.ts';
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import { type Ipv6, ipv6Subnet } from '../../model/address/ipv6.ts';
import { FLOOD_MAC } from '../../model/address/mac.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { Network } from '../../model/network/network.ts';
import { nodeAddresses } from '../../model/network/node-addresses.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { AddressItem } from '../items/address.ts';
import type { FdbItem } from '../items/fdb.ts';
import { type Item, type ItemMap, itemKey, itemMap } from '../items/item.ts';
import type { ItemKey } from '../items/item-kind.ts';
import type { LinkItem } from '../items/link.ts';
import { type DeviceKind, OUR_LINK_GROUP, OUR_PROTOCOL, parseAlias } from '../items/mark.ts';
import type { NeighbourItem } from '../items/neighbour.ts';
import { MAIN_TABLE, VXLAN_TABLE } from '../items/route.ts';
import { routeMetric } from '../items/routing/static-route.ts';

/** One of our links, with its device kind and its network. */
export interface OwnLink {
  readonly link: Link;
  readonly device: DeviceKind;
  readonly network: NetworkId;
  /** The id of a tap's port. */
  readonly portId?: string;
}

/** The kinds of our devices, as the kernel names them (IFLA_INFO_KIND). */
const KERNEL_KINDS: Readonly<Record<DeviceKind, string>> = {
  bridge: 'bridge',
  vxlan: 'vxlan',
  tap: 'tun',
  host0: 'macvlan',
};

/** IFAPROT_KERNEL_LL (linux/if_addr.h): the kernel has formed the link-local address itself. */
const PROTOCOL_KERNEL_LL = 3;

/** Our links by index. */
export type OwnLinks = ReadonlyMap<number, OwnLink>;

/** The items that come and go with members. */
export type EntryItem = FdbItem | NeighbourItem;

/**
 * Our items among the kernel's links, addresses, routes and entries. Rulesets and plain settings are observed elsewhere
 * (`Reconciler`).
 * @param isWanted whether an entry with this key is desired, or was recently; such an entry counts without our mark,
 * too
 */
export function observedItems(
  cache: KernelTables,
  desired: ItemMap,
  isWanted: (key: ItemKey) => boolean = (key) => desired.has(key),
  own = ownLinks(cache, desired),
): Map<ItemKey, Item> {
  const items: Item[] = [];
  for (const { link, device, network, portId } of own.values()) {
    items.push({
      kind: 'link',
      device,
      network,
      ...(portId !== undefined && { portId }),
      name: link.name,
      mac: link.mac,
      mtuBytes: link.mtuBytes,
      up: link.up,
      master: link.master === 0 ? '' : (cache.links.get(link.master)?.name ?? ''),
      ...(device === 'host0' && { onBridge: cache.links.get(link.lower ?? 0)?.name ?? '' }),
      group: link.group,
      alias: link.alias,
      addressMode: link.addressMode,
      conf: link.conf,
      ...(link.vxlan !== undefined && { vxlan: vxlanDevice(link.vxlan, cache) }),
      ...oddOptions(link, device, cache),
      ...link.bridge,
    });
  }
  items.push(...addressItems(cache, own, desired), ...routeItems(cache, own), ...portItems(cache, desired));
  items.push(...underlayItems(cache, desired, own));
  const observed = itemMap(items);
  for (const table of [cache.neighbours, cache.fdb]) {
    for (const entry of table.values()) {
      const item = entryItem(entry, own);
      if (item === undefined) continue;
      const key = itemKey(item);
      if (isObserved(item, key, isWanted)) observed.set(key, item);
    }
  }
  return observed;
}

/**
 * The kernel's present entry with the identity of `like`; undefined when there is none, or none that counts as ours.
 * @param isWanted as of `observedItems`
 */
export function observedEntry(
  cache: KernelTables,
  own: OwnLinks,
  like: EntryItem,
  isWanted: (key: ItemKey) => boolean,
): EntryItem | undefined {
  const link = cache.linkNamed(like.link)?.index;
  if (link === undefined) return undefined;
  const entry = like.kind === 'fdb' ? cache.entryAt({ ...like, link }) : cache.neighbourOn(link, like.address);
  const item = entry === undefined ? undefined : entryItem(entry, own);
  return item !== undefined && isObserved(item, itemKey(item), isWanted) ? item : undefined;
}

/**
 * Whether an entry counts as ours. An unmarked one does where one of our entries is desired or was recently, because
 * another program may have removed the mark.
 */
function isObserved(item: EntryItem, key: ItemKey, isWanted: (key: ItemKey) => boolean): boolean {
  return item.kind === 'neighbour' || item.marked || (item.table === 'self' && isWanted(key));
}

/**
 * A kernel entry as an item; undefined on a foreign link, and for a neighbour entry without our mark. An FDB entry
 * counts without our mark here, too.
 */
export function entryItem(entry: FdbEntry | Neighbour, own: OwnLinks): EntryItem | undefined {
  const link = own.get(entry.link);
  if (link === undefined) return undefined;
  return 'table' in entry ? fdbItem(entry, link) : neighbourItem(entry, link);
}

/**
 * Finds our links. The alias identifies a link, so that a renamed link is found again. A link without our alias is ours
 * when it has a desired name, and is in our link group: that is its state between the create and the second message. Or
 * it has a desired name and Ethernet address: those are of this machine and network alone, so another program has taken
 * the marks off.
 */
export function ownLinks(cache: KernelTables, desired: ItemMap): OwnLinks {
  const links = [...desired.values()].filter((item) => item.kind === 'link');
  return ownLinksAmong(cache, new Map(links.map((item) => [item.name, item])));
}

type WantedLink = Pick<LinkItem, 'device' | 'network' | 'mac' | 'portId'>;

function ownLinksAmong(cache: KernelTables, wantedByName: ReadonlyMap<string, WantedLink>): OwnLinks {
  const own = new Map<number, OwnLink>();
  for (const link of cache.links.values()) {
    const marked = parseAlias(link.alias);
    const wanted = marked === undefined ? wantedByName.get(link.name) : undefined;
    const isOurs = wanted !== undefined && (link.group === OUR_LINK_GROUP || link.mac === wanted.mac);
    const identity = marked ?? (isOurs ? wanted : undefined);
    if (identity === undefined || link.kind !== KERNEL_KINDS[identity.device]) continue;
    const { device, network, portId } = identity;
    own.set(link.index, { link, device, network, ...(portId !== undefined && { portId }) });
  }
  return own;
}

/** Attributes with the name of the underlay link. A link that is gone has none: the device goes with it in a moment. */
function vxlanDevice({ underlay, ...vxlan }: VxlanAttributes, cache: KernelTables): VxlanDevice {
  return underlay === undefined ? vxlan : { ...vxlan, dev: cache.links.get(underlay)?.name ?? `if${underlay}` };
}

/**
 * The options of a link, and of the port of a VXLAN or tap, that are not as the kernel makes them. A port that carries nothing is
 * disabled by the kernel itself, and a spanning tree decides which ports forward.
 */
function oddOptions(
  { odd, port, up, running, master }: Link,
  device: DeviceKind,
  cache: KernelTables,
): Pick<LinkItem, 'odd'> {
  const { 'port state': state, ...ofPort } = (device === 'bridge' ? undefined : port?.odd) ?? {};
  const isInTree = cache.links.get(master)?.odd?.['bridge stp_state'] !== undefined;
  const isKept = state !== undefined && up && running && !isInTree;
  const all = { ...odd, ...ofPort, ...(isKept && { 'port state': state }) };
  return Object.keys(all).length === 0 ? {} : { odd: all };
}

/**
 * The addresses on our links that are desired, in whatever state; those on bridges that the agent itself could have added
 * (IPv6, /64, without duplicate address detection); and those that the kernel has formed against our address mode.
 */
function addressItems(cache: KernelTables, own: ReadonlyMap<number, OwnLink>, desired: ItemMap): Item[] {
  const onLink = new Set<string>();
  for (const { family, link, destination, gateway } of cache.routes.values()) {
    if (family === 6 && gateway === undefined) onLink.add(`${link} ${destination}`);
  }
  const items = new Map<ItemKey, AddressItem>();
  for (const entry of cache.addresses.values()) {
    const { link, family, address, length, nodad, tentative, fading, protocol } = entry;
    const owner = own.get(link);
    if (owner === undefined) continue;
    if (family === 4) {
      const item = givenAddress(entry, owner);
      if (protocol === OUR_PROTOCOL || desired.has(itemKey(item))) items.set(itemKey(item), item);
      continue;
    }
    const isReachable = onLink.has(`${link} ${ipv6Subnet(address as Ipv6, length)}`);
    const flaw = tentative && !nodad ? 'not usable' : fading ? 'fading' : isReachable ? undefined : 'no prefix route';
    const isOnSeat = owner.device === 'host0' && { onHost0Device: true as const };
    const common = { network: owner.network, link: owner.link.name, address: address as Ipv6, length, ...isOnSeat };
    const item: AddressItem = { kind: 'address', ...common, ...(flaw !== undefined && { flaw }) };
    const key = itemKey(item);
    const isAdded = (owner.device === 'bridge' || owner.device === 'host0') && length === 64 && nodad;
    if (desired.has(key) || protocol === PROTOCOL_KERNEL_LL || protocol === OUR_PROTOCOL || isAdded)
      items.set(key, item);
  }
  return [...items.values()];
}

/** An IPv4 address of a bridge. Only the addresses that host0 gives are of that family. */
function givenAddress({ address, length, fading }: Address, { network, link }: OwnLink): AddressItem {
  return { kind: 'address', network, link: link.name, address, length, ...(fading && { flaw: 'fading' as const }) };
}

function neighbourItem(entry: Neighbour, { network, link }: OwnLink): NeighbourItem | undefined {
  const { address, mac, protocol, state } = entry;
  if (protocol !== OUR_PROTOCOL || mac === undefined || state !== 'permanent') return undefined;
  return { kind: 'neighbour', network, link: link.name, address, mac };
}

function fdbItem(entry: FdbEntry, { device, network, link, portId }: OwnLink): FdbItem | undefined {
  const { table, mac, remoteVtep, state, externLearn: marked, detour, udpPort } = entry;
  // A flood entry with a detour is one more beside ours.
  if (detour === true && mac === FLOOD_MAC) return undefined;
  if (device === 'bridge' || device === 'host0' || (device === 'tap' && table !== 'master')) return undefined;
  const item = {
    ...(portId !== undefined && { portId }),
    ...({ kind: 'fdb', table, network, link: link.name, mac, state, marked } as const),
    ...(udpPort !== undefined && { udpPort }),
    ...(detour === true && { detour }),
  };
  return remoteVtep === undefined ? item : { ...item, remoteVtep };
}

function routeItems(cache: KernelTables, own: OwnLinks): Item[] {
  const items: Item[] = [];
  for (const { family, table, protocol, destination, gateway, link, metric } of cache.routes.values()) {
    if (protocol !== OUR_PROTOCOL || gateway === undefined) continue;
    const bridge = link === undefined ? undefined : own.get(link);
    if (bridge?.device === 'bridge' && table === MAIN_TABLE) {
      const given = metric === routeMetric(destination, undefined) ? {} : { metric };
      items.push({ kind: 'static-route', of: bridge.network, link: bridge.link.name, destination, gateway, ...given });
      continue;
    }
    if (family !== 4) continue;
    if (table !== MAIN_TABLE && table !== VXLAN_TABLE) continue;
    const common = { destination: destination as Ipv4Cidr, gateway: gateway as Ipv4 };
    items.push({ kind: 'route', ...common, table: cache.rules.size === 0 ? VXLAN_TABLE : table });
  }
  for (const { priority, table, protocol, udp } of cache.rules.values()) {
    if (protocol !== OUR_PROTOCOL || table !== VXLAN_TABLE) continue;
    items.push({ kind: 'rule', priority, table, ...(udp !== undefined && { udp }) });
  }
  return items;
}

/** A port counts only while it is desired: the agent does not take other ports off a bridge. */
function portItems(cache: KernelTables, desired: ItemMap): Item[] {
  const items: Item[] = [];
  for (const item of desired.values()) {
    if (item.kind !== 'port') continue;
    const link = cache.linkNamed(item.link);
    const bridge = link === undefined ? undefined : cache.links.get(link.master);
    if (bridge === undefined) continue;
    const isolated = link?.port?.odd?.['port isolated'] === 1;
    const { learning } = link?.port ?? {};
    items.push({ ...item, bridge: bridge.name, isolated, ...(learning !== undefined && { learning }) });
  }
  return items;
}

/** NICs count only while they are desired. Addresses on NICs count when they carry our mark, or are desired. */
function underlayItems(cache: KernelTables, desired: ItemMap, own: OwnLinks): Item[] {
  const items: Item[] = [];
  for (const item of desired.values()) {
    const link = item.kind === 'underlay-link' ? cache.linkNamed(item.link) : undefined;
    if (item.kind === 'underlay-link' && link !== undefined) items.push({ ...item, up: link.up });
  }
  for (const { family, link: index, address, length, protocol } of cache.addresses.values()) {
    const link = cache.links.get(index)?.name;
    if (family !== 4 || link === undefined || own.has(index)) continue;
    const item: Item = { kind: 'underlay-address', link, address: address as Ipv4, length };
    if (protocol === OUR_PROTOCOL || desired.has(itemKey(item))) items.push(item);
  }
  return items;
}

/** A foreign device that has what a network needs, so that the network cannot be created on this node. */
export interface Obstacle {
  readonly network: NetworkId;
  /** Name of the foreign device. */
  readonly device: string;
  /** What the network and the device both claim. */
  readonly reason: 'name' | 'vni' | 'subnet';
}

/**
 * Finds the foreign devices with a name or VNI of one of the networks. The agent reports them and leaves them alone.
 */
export function obstacles(cache: KernelTables, networks: readonly Network[], machine: MachineWord): Obstacle[] {
  const found: Obstacle[] = [];
  const wanted = networks.flatMap((network) => wantedDevices(network, machine));
  const own = ownLinksAmong(cache, new Map(wanted.map((device) => [device.name, device])));
  const foreign = [...cache.links.values()].filter((link) => !own.has(link.index));
  const byName = new Map(foreign.map((link) => [link.name, link]));
  const byVni = new Map(foreign.flatMap((link) => (link.vxlan === undefined ? [] : [[vniKey(link.vxlan), link]])));
  for (const { network, name, ...device } of wanted) {
    const namesake = byName.get(name);
    if (namesake !== undefined) found.push({ network, device: namesake.name, reason: 'name' });
    const rival = device.vxlan !== undefined ? byVni.get(vniKey(device.vxlan)) : undefined;
    // One of our own links with a deferred delete holds its VNI until the reaper has deleted it. It is no obstacle.
    if (rival !== undefined && rival !== namesake && !rival.alias.startsWith('meshwork:')) {
      found.push({ network, device: rival.name, reason: 'vni' });
    }
  }
  return found;
}

/** A device that a network has on each of its nodes. */
interface WantedDevice extends Pick<LinkItem, 'network' | 'device' | 'name' | 'mac'> {
  readonly vxlan?: { readonly vni: number; readonly udpPort: number };
}

function wantedDevices(network: Network, machine: MachineWord): WantedDevice[] {
  const { id, bridge, type } = network;
  const { bridgeMac, vtepMac } = nodeAddresses(network, machine);
  const devices: WantedDevice[] = [];
  if (bridge !== undefined) devices.push({ network: id, device: 'bridge', name: bridge.name, mac: bridgeMac });
  if (type.kind === 'vxlan') {
    const { vni, udpPort, device: name } = type;
    devices.push({ network: id, device: 'vxlan', name, mac: vtepMac, vxlan: { vni, udpPort } });
  }
  return devices;
}

function vniKey({ vni, udpPort }: { vni: number; udpPort: number }): string {
  return `${vni} ${udpPort}`;
}
