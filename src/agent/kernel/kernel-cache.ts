/**
 * The agent's copy of the kernel's state: filled by a dump, kept up to date by the monitor's events. A lost event
 * delays a repair and nothing more, because a fresh dump replaces the whole cache once a minute.
 *
 * Any machine in a mesh makes learnt FDB entries, by sending from made-up Ethernet addresses. Learnt entries of addresses
 * that the agent does not follow are counted, and not kept.
 */
import {
  addressKey,
  type EntryIdentity,
  entryKey,
  neighbourObjectKey,
  routeKey,
  ruleKey,
} from '../../kernel/rtnl/object-keys.ts';
import type {
  Address,
  EntryCount,
  FdbEntry,
  KernelEvent,
  Link,
  LinkConf,
  Neighbour,
  Route,
  Rule,
} from '../../kernel/rtnl/objects.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Mac } from '../../model/address/mac.ts';
import { OUR_PROTOCOL } from '../items/mark.ts';
import type { KernelDump } from './kernel-port.ts';

/** A route to more than a mesh's /64 comes after the mesh's own. */
const MESH_PREFIX_LENGTH = 64;

/** Whether the kernel made the entry itself, from the frames of a sender. */
export function isLearned({ externLearn, state }: Pick<FdbEntry, 'externLearn' | 'state'>): boolean {
  return !externLearn && state === 'dynamic';
}

/**
 * Whether the cache keeps a route: our own, default routes, and IPv6 routes that can lead a part of a mesh elsewhere. A
 * router has hundreds of thousands of others.
 */
export function isKeptRoute({ family, protocol, destination }: Route): boolean {
  const length = Number(destination.slice(destination.indexOf('/') + 1));
  // The links of default routes cannot be ports.
  return length === 0 || (family === 4 ? protocol === OUR_PROTOCOL : length >= MESH_PREFIX_LENGTH);
}

/** What has changed in a cache. */
interface CacheChanges {
  /** Whether links, addresses or routes have changed. */
  readonly topology: boolean;
  /** The FDB and neighbour entries that were added, changed or removed, as the events had them. */
  readonly entries: readonly (FdbEntry | Neighbour)[];
}

/**
 * Links, addresses, routes, rules, neighbour entries and FDB entries of one network namespace. Only the reconciler fills a
 * cache; views and checks read it, or make their own from a dump.
 */
export class KernelCache {
  /** By index. Only this class changes the links, because it also keeps them by name and by master. */
  readonly links: ReadonlyMap<number, Link>;
  readonly #links = new Map<number, Link>();
  readonly #byName = new Map<string, number>();
  readonly #ports = new Map<number, Set<number>>();
  readonly addresses = new Map<string, Address>();
  /** Those of `isKeptRoute`. */
  readonly routes = new Map<string, Route>();
  /** IPv4 routing rules. Empty on a kernel that has none: such a kernel keeps all routes in the main table. */
  readonly rules = new Map<string, Rule>();
  readonly neighbours = new Map<string, Neighbour>();
  /** Without the learnt entries of addresses that are not followed. */
  readonly fdb = new Map<string, FdbEntry>();
  readonly #isFollowed: (mac: Mac) => boolean;
  /** Number of cached entries for each address: an event that moves one of these counts, whatever it is about. */
  readonly #macs = new Map<Mac, number>();
  /** Numbers of the FDB entries that were not kept at the dump. */
  #others: readonly EntryCount[] = [];
  /** How many entries have been learnt since, less those that were removed. Moved entries count as new ones. */
  #learnedSince = 0;
  #topologyChanged = true;
  #entries: (FdbEntry | Neighbour)[] = [];
  #linksRevision = 0;
  #addressesRevision = 0;

  /** @param isFollowed whether learnt entries of an Ethernet address are kept; by default, those of all are */
  constructor(isFollowed: (mac: Mac) => boolean = () => true) {
    this.links = this.#links;
    this.#isFollowed = isFollowed;
  }

  /** A new cache with the state of one dump. @param isFollowed as in the constructor */
  static of(dump: KernelDump, isFollowed?: (mac: Mac) => boolean): KernelCache {
    const cache = new KernelCache(isFollowed);
    for (const link of dump.links) cache.#putLink(link);
    for (const address of dump.addresses) cache.addresses.set(addressKey(address), address);
    for (const route of dump.routes) if (isKeptRoute(route)) cache.routes.set(routeKey(route), route);
    for (const rule of dump.rules ?? []) cache.rules.set(ruleKey(rule), rule);
    for (const neighbour of dump.neighbours) cache.neighbours.set(neighbourObjectKey(neighbour), neighbour);
    for (const entry of dump.fdb) cache.#putEntry(entry, false);
    cache.#others = dump.otherFdb ?? [];
    return cache;
  }

  /** Numbers of the learnt FDB entries that were not kept at the dump, by table and remote VTEP. */
  get others(): readonly EntryCount[] {
    return this.#others;
  }

  /** How many more entries there are than at the dump, at most, that are not kept. */
  get othersSinceDump(): number {
    return this.#learnedSince;
  }

  /**
   * The changes since the last call. A new cache says that the topology has changed, so that everything is compared.
   */
  takeChanges(): CacheChanges {
    const changes = { topology: this.#topologyChanged, entries: this.#entries };
    this.#topologyChanged = false;
    this.#entries = [];
    return changes;
  }

  /** Grows whenever a link is added, changed or removed. */
  get linksRevision(): number {
    return this.#linksRevision;
  }

  /** Grows whenever an address is added, changed or removed. */
  get addressesRevision(): number {
    return this.#addressesRevision;
  }

  replaceRoutes(routes: readonly Route[]): void {
    this.#topologyChanged = true;
    this.routes.clear();
    for (const route of routes) if (isKeptRoute(route)) this.routes.set(routeKey(route), route);
  }

  linkNamed(name: string): Link | undefined {
    return this.links.get(this.#byName.get(name) ?? 0);
  }

  neighbourOn(link: number, address: Neighbour['address']): Neighbour | undefined {
    return this.neighbours.get(neighbourObjectKey({ link, address }));
  }

  /** The cached FDB entry with this identity. Its remote VTEP may be another one, unless it is a flood entry. */
  entryAt(entry: EntryIdentity): FdbEntry | undefined {
    return this.fdb.get(entryKey(entry));
  }

  /**
   * Applies an event to the cache. An `overflow` or `nft` event changes nothing here.
   * @returns false for an event that can change none of our items: about a learnt entry that is not kept, a route of
   * another program, or the addresses and neighbours of a link that is neither a bridge nor a VXLAN
   */
  take(event: KernelEvent): boolean {
    switch (event.type) {
      case 'link':
        if (event.removed) this.#forgetLink(event.link.index);
        else this.#putLink(event.link);
        return true;
      case 'address':
        put(this.addresses, addressKey(event.address), event.address, event.removed);
        this.#addressesRevision++;
        // IPv4 addresses of NICs are items of host0.
        if (event.address.family === 6 && !this.#mayBeOurs(event.address.link)) return false;
        this.#topologyChanged = true;
        return true;
      case 'route':
        return this.#takeRoute(event.route, event.removed);
      case 'rule':
        this.#topologyChanged = true;
        put(this.rules, ruleKey(event.rule), event.rule, event.removed);
        return true;
      case 'neighbour':
        put(this.neighbours, neighbourObjectKey(event.neighbour), event.neighbour, event.removed);
        if (!this.#mayBeOurs(event.neighbour.link)) return false;
        this.#entries.push(event.neighbour);
        return true;
      case 'fdb':
        if (this.#keeps(event.entry)) {
          this.#takeEntry(event.entry, event.removed);
          return true;
        }
        this.#learnedSince += event.removed ? -1 : 1;
        return false;
      case 'port': {
        const link = this.links.get(event.link);
        if (link !== undefined) this.#putLink({ ...link, port: event.port });
        return true;
      }
      case 'nft':
      case 'overflow':
        return true;
    }
  }

  /** Our addresses and neighbour entries are on our links. An unknown link may be one that was made just now. */
  #mayBeOurs(index: number): boolean {
    const kind = this.links.get(index)?.kind;
    return kind === undefined || kind === 'bridge' || kind === 'vxlan';
  }

  /** @returns whether the routes have changed that are kept */
  #takeRoute(route: Route, removed: boolean): boolean {
    let changed = false;
    if (route.replaces === true) {
      for (const [key, before] of this.routes) {
        const isSame = before.family === route.family && before.destination === route.destination;
        if (isSame && before.metric === route.metric && before.table === route.table)
          changed ||= this.routes.delete(key);
      }
    }
    if (isKeptRoute(route)) {
      put(this.routes, routeKey(route), route, removed);
      changed = true;
    }
    if (changed) this.#topologyChanged = true;
    return changed;
  }

  #keeps(entry: FdbEntry): boolean {
    return !isLearned(entry) || this.#macs.has(entry.mac) || this.#isFollowed(entry.mac);
  }

  /**
   * Adds an IPv6 address that the agent has just put on a link with `nodad`. The kernel announces it only a moment
   * later.
   */
  noteAddress(name: string, address: Ipv6, length: number): void {
    const link = this.linkNamed(name)?.index;
    if (link === undefined) return;
    const scope = address.startsWith('fe80:') ? 'link' : 'global';
    const noted: Address = { family: 6, link, address, length, scope, tentative: false, nodad: true, protocol: 0 };
    this.#topologyChanged = true;
    this.#addressesRevision++;
    this.addresses.set(addressKey(noted), noted);
  }

  /** Notes a link's setting that the agent has just written. The kernel announces few of them. */
  noteConf(name: string, conf: Partial<LinkConf>): void {
    const link = this.linkNamed(name);
    if (link !== undefined) this.#putLink({ ...link, conf: { ...link.conf, ...conf } });
  }

  /**
   * A bridge has one entry for an address. When the address moves to another port, the kernel announces no removal at
   * the first.
   */
  #takeEntry(entry: FdbEntry, removed: boolean): void {
    this.#entries.push(entry);
    if (entry.table === 'master' && !removed) {
      const link = this.links.get(entry.link);
      // An entry at the bridge itself takes the address from all its ports.
      const bridge = link?.kind === 'bridge' ? link.index : link?.master;
      for (const link of (bridge === undefined ? undefined : this.#ports.get(bridge)) ?? []) {
        if (link !== entry.link && this.#putEntry({ ...entry, link }, true)) this.#entries.push({ ...entry, link });
      }
    }
    this.#putEntry(entry, removed);
  }

  /** @returns whether there was an entry before */
  #putEntry(entry: FdbEntry, removed: boolean): boolean {
    const key = entryKey(entry);
    const before = this.fdb.has(key);
    put(this.fdb, key, entry, removed);
    if (before !== removed) return before;
    const count = (this.#macs.get(entry.mac) ?? 0) + (removed ? -1 : 1);
    if (count === 0) this.#macs.delete(entry.mac);
    else this.#macs.set(entry.mac, count);
    return before;
  }

  #putLink(link: Link): void {
    this.#dropLink(link.index);
    this.#links.set(link.index, link);
    this.#byName.set(link.name, link.index);
    const ports = this.#ports.get(link.master) ?? new Set();
    this.#ports.set(link.master, ports.add(link.index));
  }

  #dropLink(index: number): void {
    this.#topologyChanged = true;
    this.#linksRevision++;
    const link = this.#links.get(index);
    if (link === undefined) return;
    this.#links.delete(index);
    if (this.#byName.get(link.name) === index) this.#byName.delete(link.name);
    this.#ports.get(link.master)?.delete(index);
  }

  /** Removes a link with all that is on it: the kernel does not announce each entry that goes with a link. */
  #forgetLink(index: number): void {
    this.#dropLink(index);
    this.#addressesRevision++;
    for (const [key, { link }] of this.addresses) if (link === index) this.addresses.delete(key);
    for (const [key, { link }] of this.neighbours) if (link === index) this.neighbours.delete(key);
    for (const entry of this.fdb.values()) if (entry.link === index) this.#putEntry(entry, true);
    for (const [key, { link }] of this.routes) if (link === index) this.routes.delete(key);
  }
}

function put<T>(map: Map<string, T>, key: string, value: T, removed: boolean): void {
  if (removed) map.delete(key);
  else map.set(key, value);
}
