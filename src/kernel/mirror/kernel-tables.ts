/**
 * The state of a kernel as one dump had it, kept up to date by the monitor's events.
 *
 * Any machine in a mesh makes learnt FDB entries, by sending from made-up Ethernet addresses. So learnt entries can be left
 * out; they are counted then.
 */
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Mac } from '../../model/address/mac.ts';
import {
  addressKey,
  type EntryIdentity,
  entryKey,
  neighbourObjectKey,
  routeKey,
  ruleKey,
} from '../rtnl/object-keys.ts';
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
} from '../rtnl/objects.ts';
import type { KernelDump } from './kernel-reader.ts';
import { LinkTable } from './link-table.ts';
import { ObjectTable } from './object-table.ts';

/** Whether the kernel made the entry itself, from the frames of a sender. */
export function isLearned({ externLearn, state }: Pick<FdbEntry, 'externLearn' | 'state'>): boolean {
  return !externLearn && state === 'dynamic';
}

/** What tables keep of the objects that may be too many. */
export interface Keeps {
  readonly route: (route: Route) => boolean;
  /**
   * Whether learnt FDB entries of an Ethernet address are kept.
   * @param held number of FDB entries that are kept already
   */
  readonly learned: (mac: Mac, held: number) => boolean;
}

const EVERYTHING: Keeps = { route: () => true, learned: () => true };

/** What has changed in tables. */
interface TableChanges {
  /** Whether links, addresses, routes or rules have changed. */
  readonly topology: boolean;
  /** The FDB and neighbour entries that were added, changed or removed, as the events had them. */
  readonly entries: readonly (FdbEntry | Neighbour)[];
}

/** Links, addresses, routes, rules, neighbour entries and FDB entries of one network namespace. */
export class KernelTables {
  readonly #keeps: Keeps;
  readonly #links = new LinkTable();
  readonly #addresses = new ObjectTable<Address>(addressKey);
  readonly #routes = new ObjectTable<Route>(routeKey);
  readonly #rules = new Map<string, Rule>();
  readonly #neighbours = new ObjectTable<Neighbour>(neighbourObjectKey);
  readonly #fdb = new ObjectTable<FdbEntry>(entryKey);
  /** By ifindex. */
  readonly links: ReadonlyMap<number, Link> = this.#links.all;
  readonly addresses: ReadonlyMap<string, Address> = this.#addresses.all;
  /** Those that are kept. */
  readonly routes: ReadonlyMap<string, Route> = this.#routes.all;
  /** IPv4 routing rules. Empty on a kernel that has none: such a kernel keeps all routes in the main table. */
  readonly rules: ReadonlyMap<string, Rule> = this.#rules;
  readonly neighbours: ReadonlyMap<string, Neighbour> = this.#neighbours.all;
  /** Without the learnt entries that are not kept. */
  readonly fdb: ReadonlyMap<string, FdbEntry> = this.#fdb.all;
  /** Number of kept entries for each address: an event that moves one of these counts, whatever it is about. */
  readonly #macs = new Map<Mac, number>();
  /** Numbers of the FDB entries that were not kept at the dump. */
  #others: readonly EntryCount[] = [];
  /** How many entries have been learnt since, less those that were removed. Moved entries count as new ones. */
  #learnedSince = 0;
  #topologyChanged = true;
  #entries: (FdbEntry | Neighbour)[] = [];
  #linksRevision = 0;
  #addressesRevision = 0;

  /** @param keeps absent: everything is kept */
  constructor(keeps: Keeps = EVERYTHING) {
    this.#keeps = keeps;
  }

  /** New tables with the state of one dump. @param keeps as in the constructor */
  static of(dump: KernelDump, keeps?: Keeps): KernelTables {
    const tables = new KernelTables(keeps);
    for (const link of dump.links) tables.#putLink(link);
    for (const address of dump.addresses) tables.#addresses.put(address);
    tables.#putRoutes(dump.routes);
    for (const rule of dump.rules ?? []) tables.#rules.set(ruleKey(rule), rule);
    for (const neighbour of dump.neighbours) tables.#neighbours.put(neighbour);
    for (const entry of dump.fdb) tables.#putEntry(entry);
    tables.#others = dump.otherFdb ?? [];
    return tables;
  }

  /** Numbers of the learnt FDB entries that were not kept at the dump, by table and remote VTEP. */
  get others(): readonly EntryCount[] {
    return this.#others;
  }

  /** How many more entries there are than at the dump, at most, that are not kept. */
  get othersSinceDump(): number {
    return this.#learnedSince;
  }

  /** Whether no learnt entry is left out: what is not among `fdb` is not in the kernel. */
  get hasAllEntries(): boolean {
    return this.#others.length === 0 && this.#learnedSince <= 0;
  }

  /**
   * The changes since the last call. New tables say that the topology has changed, so that everything is compared.
   */
  takeChanges(): TableChanges {
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
    this.#routes.clear();
    this.#putRoutes(routes);
  }

  linkNamed(name: string): Link | undefined {
    return this.#links.named(name);
  }

  /** The ifindexes of the links whose master has this ifindex. */
  portsOf(master: number): ReadonlySet<number> {
    return this.#links.portsOf(master);
  }

  /** The addresses of the link with this ifindex. */
  addressesOn(link: number): Iterable<Address> {
    return this.#addresses.on(link);
  }

  neighbourOn(link: number, address: Neighbour['address']): Neighbour | undefined {
    return this.neighbours.get(neighbourObjectKey({ link, address }));
  }

  /** The kept FDB entry with this identity. Its remote VTEP may be another one, unless it is a flood entry. */
  entryAt(entry: EntryIdentity): FdbEntry | undefined {
    return this.fdb.get(entryKey(entry));
  }

  /** The entry of an address in the table of a bridge, at whichever port or at the bridge itself. */
  bridgeEntry(bridge: number, mac: Mac): FdbEntry | undefined {
    for (const link of [bridge, ...this.portsOf(bridge)]) {
      const entry = this.entryAt({ table: 'master', link, mac });
      if (entry !== undefined) return entry;
    }
    return undefined;
  }

  /**
   * Applies an event. An `overflow` or `nft` event changes nothing here.
   * @returns false for an event about what no network of Meshwork has: a learnt entry or a route that is not kept, or
   * the IPv6 addresses and neighbours of a link that is neither a bridge nor a VXLAN
   */
  take(event: KernelEvent): boolean {
    switch (event.type) {
      case 'link':
        if (event.removed) this.#forgetLink(event.link.index);
        else this.#putLink(event.link);
        return true;
      case 'address':
        put(this.#addresses, event.address, event.removed);
        this.#addressesRevision++;
        // IPv4 addresses of NICs are items of host0.
        if (event.address.family === 6 && !this.#mayBeOurs(event.address.link)) return false;
        this.#topologyChanged = true;
        return true;
      case 'route':
        return this.#takeRoute(event.route, event.removed);
      case 'rule':
        this.#topologyChanged = true;
        if (event.removed) this.#rules.delete(ruleKey(event.rule));
        else this.#rules.set(ruleKey(event.rule), event.rule);
        return true;
      case 'neighbour':
        put(this.#neighbours, event.neighbour, event.removed);
        if (!this.#mayBeOurs(event.neighbour.link)) return false;
        this.#entries.push(event.neighbour);
        return true;
      case 'fdb':
        if (this.#isKept(event.entry)) {
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
      for (const before of this.routes.values()) {
        const isSame = before.family === route.family && before.destination === route.destination;
        if (isSame && before.metric === route.metric && before.table === route.table)
          changed = this.#routes.delete(before) || changed;
      }
    }
    if (this.#keeps.route(route)) {
      put(this.#routes, route, removed);
      changed = true;
    }
    if (changed) this.#topologyChanged = true;
    return changed;
  }

  #isKept(entry: FdbEntry): boolean {
    return !isLearned(entry) || this.#macs.has(entry.mac) || this.#keeps.learned(entry.mac, this.fdb.size);
  }

  #putRoutes(routes: readonly Route[]): void {
    for (const route of routes) if (this.#keeps.route(route)) this.#routes.put(route);
  }

  /**
   * Adds an IPv6 address that the process has just put on a link with `nodad`. The kernel announces it only a moment
   * later.
   */
  noteAddress(name: string, address: Ipv6, length: number): void {
    const link = this.linkNamed(name)?.index;
    if (link === undefined) return;
    const scope = address.startsWith('fe80:') ? 'link' : 'global';
    const noted: Address = { family: 6, link, address, length, scope, tentative: false, nodad: true, protocol: 0 };
    this.#topologyChanged = true;
    this.#addressesRevision++;
    this.#addresses.put(noted);
  }

  /** Notes a link's setting that the process has just written. The kernel announces few of them. */
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
      // An entry at the bridge itself takes the address from all its ports, and the other way round.
      const bridge = link?.kind === 'bridge' ? link.index : (link?.master ?? 0);
      for (const other of bridge === 0 ? [] : [bridge, ...this.portsOf(bridge)]) {
        const elsewhere = { ...entry, link: other };
        if (other !== entry.link && this.#deleteEntry(elsewhere)) this.#entries.push(elsewhere);
      }
    }
    if (removed) this.#deleteEntry(entry);
    else this.#putEntry(entry);
  }

  #putEntry(entry: FdbEntry): void {
    if (!this.#fdb.put(entry)) this.#macs.set(entry.mac, (this.#macs.get(entry.mac) ?? 0) + 1);
  }

  /** @returns whether there was an entry */
  #deleteEntry(entry: FdbEntry): boolean {
    if (!this.#fdb.delete(entry)) return false;
    const count = (this.#macs.get(entry.mac) ?? 0) - 1;
    if (count <= 0) this.#macs.delete(entry.mac);
    else this.#macs.set(entry.mac, count);
    return true;
  }

  #putLink(link: Link): void {
    this.#linksChanged();
    const before = this.links.get(link.index)?.master ?? link.master;
    this.#links.put(link);
    if (before !== link.master) this.#forgetPort(link);
  }

  /**
   * Removes what a bridge had for a port that has left it. The kernel gives the entry of the port's own address to the bridge
   * where both have one address, and announces neither that nor the removal at the port (fdb_delete_local in br_fdb.c).
   */
  #forgetPort({ index, kind }: Link): void {
    if (kind === 'bridge') return;
    for (const entry of [...this.#fdb.on(index)]) {
      if (entry.table === 'master' && this.#deleteEntry(entry)) this.#entries.push(entry);
    }
  }

  #linksChanged(): void {
    this.#topologyChanged = true;
    this.#linksRevision++;
  }

  /** Removes a link with all that is on it: the kernel does not announce each entry that goes with a link. */
  #forgetLink(index: number): void {
    this.#linksChanged();
    this.#links.delete(index);
    this.#addressesRevision++;
    for (const address of [...this.#addresses.on(index)]) this.#addresses.delete(address);
    for (const neighbour of [...this.#neighbours.on(index)]) this.#neighbours.delete(neighbour);
    for (const entry of [...this.#fdb.on(index)]) this.#deleteEntry(entry);
    for (const route of [...this.#routes.on(index)]) this.#routes.delete(route);
  }
}

function put<T extends { readonly link?: number }>(table: ObjectTable<T>, object: T, removed: boolean): void {
  if (removed) table.delete(object);
  else table.put(object);
}
