/**
 * The agent's copy of the kernel's state: filled by a dump, kept up to date by the monitor's events. A lost event
 * delays a repair and nothing more, because a fresh dump replaces the whole cache once a minute.
 *
 * Any machine in a mesh makes learnt FDB entries, by sending from made-up Ethernet addresses. Learnt entries of addresses
 * that the agent does not follow are counted, and not kept.
 */
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
import { FLOOD_MAC, type Mac } from '../../model/address/mac.ts';
import type { KernelDump } from './kernel-port.ts';

/** The fields that identify an FDB entry. */
type EntryIdentity = Pick<FdbEntry, 'link' | 'table' | 'mac' | 'remoteVtep'>;

/** Whether the kernel made the entry itself, from the frames of a sender. */
export function isLearned({ externLearn, state }: Pick<FdbEntry, 'externLearn' | 'state'>): boolean {
  return !externLearn && state === 'dynamic';
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
    for (const route of dump.routes) cache.routes.set(routeKey(route), route);
    for (const rule of dump.rules ?? []) cache.rules.set(ruleKey(rule), rule);
    for (const neighbour of dump.neighbours) cache.neighbours.set(neighbourKey(neighbour), neighbour);
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

  replaceRoutes(routes: readonly Route[]): void {
    this.#topologyChanged = true;
    this.routes.clear();
    for (const route of routes) this.routes.set(routeKey(route), route);
  }

  linkNamed(name: string): Link | undefined {
    return this.links.get(this.#byName.get(name) ?? 0);
  }

  neighbourOn(link: number, address: Neighbour['address']): Neighbour | undefined {
    return this.neighbours.get(neighbourKey({ link, address }));
  }

  /** The cached FDB entry with this identity. Its remote VTEP may be another one, unless it is a flood entry. */
  entryAt(entry: EntryIdentity): FdbEntry | undefined {
    return this.fdb.get(entryKey(entry));
  }

  /**
   * Applies an event to the cache. An `overflow` or `nft` event changes nothing here.
   * @returns false for an event about a learnt entry that is not kept
   */
  take(event: KernelEvent): boolean {
    switch (event.type) {
      case 'link':
        if (event.removed) this.#forgetLink(event.link.index);
        else this.#putLink(event.link);
        return true;
      case 'address':
        this.#topologyChanged = true;
        put(this.addresses, addressKey(event.address), event.address, event.removed);
        return true;
      case 'route':
        this.#topologyChanged = true;
        put(this.routes, routeKey(event.route), event.route, event.removed);
        return true;
      case 'rule':
        this.#topologyChanged = true;
        put(this.rules, ruleKey(event.rule), event.rule, event.removed);
        return true;
      case 'neighbour':
        this.#entries.push(event.neighbour);
        put(this.neighbours, neighbourKey(event.neighbour), event.neighbour, event.removed);
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
      const bridge = this.links.get(entry.link)?.master;
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

function addressKey({ link, address, length }: Address): string {
  return `${link} ${address}/${length}`;
}

function routeKey({ family, table, destination, metric, link, gateway }: Route): string {
  return `${family} ${table} ${destination} ${metric} ${link} ${gateway}`;
}

function ruleKey({ priority, table, protocol, udp }: Rule): string {
  return `${priority} ${table} ${protocol} ${udp?.from} ${udp?.to}`;
}

function neighbourKey({ link, address }: Pick<Neighbour, 'link' | 'address'>): string {
  return `${link} ${address}`;
}

/**
 * Only flood entries are identified by their remote VTEP. Another entry keeps its key when it moves to another VTEP.
 */
function entryKey({ link, table, mac, remoteVtep }: EntryIdentity): string {
  return `${link} ${table} ${mac}${mac === FLOOD_MAC ? ` ${remoteVtep}` : ''}`;
}
