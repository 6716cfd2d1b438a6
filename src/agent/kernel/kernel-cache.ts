/**
 * The kernel's state as the agent last heard of it: filled by a dump, kept by the monitor's events. Events say when to
 * look; a lost one costs time and never correctness, since a fresh dump replaces all of this once a minute.
 */
import type { Address, FdbEntry, KernelEvent, Link, LinkConf, Neighbour, Route } from '../../kernel/rtnl/objects.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import { FLOOD_MAC } from '../../model/address/mac.ts';
import type { KernelDump } from './kernel-port.ts';

/** What tells one entry from another. */
type EntryPlace = Pick<FdbEntry, 'link' | 'table' | 'mac' | 'remoteVtep'>;

/** What has changed in a cache. */
export interface CacheChanges {
  /** More than entries: links, addresses, routes. */
  readonly ground: boolean;
  readonly entries: readonly (FdbEntry | Neighbour)[];
}

export class KernelCache {
  /** Changed by this class only, which keeps them by name and master too. */
  readonly links: ReadonlyMap<number, Link>;
  readonly #links = new Map<number, Link>();
  readonly #byName = new Map<string, number>();
  readonly #ports = new Map<number, Set<number>>();
  readonly addresses = new Map<string, Address>();
  readonly routes = new Map<string, Route>();
  readonly neighbours = new Map<string, Neighbour>();
  readonly fdb = new Map<string, FdbEntry>();
  #ground = true;
  #entries: (FdbEntry | Neighbour)[] = [];
  #linksRevision = 0;

  constructor() {
    this.links = this.#links;
  }

  static of(dump: KernelDump): KernelCache {
    const cache = new KernelCache();
    for (const link of dump.links) cache.#putLink(link);
    for (const address of dump.addresses) cache.addresses.set(addressKey(address), address);
    for (const route of dump.routes) cache.routes.set(routeKey(route), route);
    for (const neighbour of dump.neighbours) cache.neighbours.set(neighbourKey(neighbour), neighbour);
    for (const entry of dump.fdb) cache.fdb.set(entryKey(entry), entry);
    return cache;
  }

  /** What has changed since this was asked last; of a new cache, everything. */
  takeChanges(): CacheChanges {
    const changes = { ground: this.#ground, entries: this.#entries };
    this.#ground = false;
    this.#entries = [];
    return changes;
  }

  /** Grows whenever a link is another than before. */
  get linksRevision(): number {
    return this.#linksRevision;
  }

  replaceRoutes(routes: readonly Route[]): void {
    this.#ground = true;
    this.routes.clear();
    for (const route of routes) this.routes.set(routeKey(route), route);
  }

  linkNamed(name: string): Link | undefined {
    return this.links.get(this.#byName.get(name) ?? 0);
  }

  neighbourOn(link: number, address: Neighbour['address']): Neighbour | undefined {
    return this.neighbours.get(neighbourKey({ link, address }));
  }

  /** The entry as it was last heard of, wherever it led then. */
  entryAt(entry: EntryPlace): FdbEntry | undefined {
    return this.fdb.get(entryKey(entry));
  }

  /** Takes an event in. An `overflow` or `nft` event holds nothing to take. */
  take(event: KernelEvent): void {
    switch (event.type) {
      case 'link':
        if (event.removed) this.#forgetLink(event.link.index);
        else this.#putLink(event.link);
        return;
      case 'address':
        this.#ground = true;
        put(this.addresses, addressKey(event.address), event.address, event.removed);
        return;
      case 'route':
        this.#ground = true;
        put(this.routes, routeKey(event.route), event.route, event.removed);
        return;
      case 'neighbour':
        this.#entries.push(event.neighbour);
        put(this.neighbours, neighbourKey(event.neighbour), event.neighbour, event.removed);
        return;
      case 'fdb':
        this.#takeEntry(event.entry, event.removed);
        return;
      case 'port': {
        const link = this.links.get(event.link);
        if (link !== undefined) this.#putLink({ ...link, port: event.port });
        return;
      }
      case 'nft':
      case 'overflow':
        return;
    }
  }

  /** Takes in an IPv6 address that was just added without duplicate detection: the kernel announces it a moment later. */
  noteAddress(name: string, address: Ipv6, length: number): void {
    const link = this.linkNamed(name)?.index;
    if (link === undefined) return;
    const scope = address.startsWith('fe80:') ? 'link' : 'global';
    const noted: Address = { family: 6, link, address, length, scope, tentative: false, nodad: true, protocol: 0 };
    this.#ground = true;
    this.addresses.set(addressKey(noted), noted);
  }

  /** Takes in a link's setting that was just written: the kernel announces few of them. */
  noteConf(name: string, conf: Partial<LinkConf>): void {
    const link = this.linkNamed(name);
    if (link !== undefined) this.#putLink({ ...link, conf: { ...link.conf, ...conf } });
  }

  /** A bridge has one entry for an address: when it is now behind another port, the kernel does not say that it left the first. */
  #takeEntry(entry: FdbEntry, removed: boolean): void {
    this.#entries.push(entry);
    if (entry.table === 'master' && !removed) {
      const bridge = this.links.get(entry.link)?.master;
      for (const link of (bridge === undefined ? undefined : this.#ports.get(bridge)) ?? []) {
        if (link !== entry.link && this.fdb.delete(entryKey({ ...entry, link })))
          this.#entries.push({ ...entry, link });
      }
    }
    put(this.fdb, entryKey(entry), entry, removed);
  }

  #putLink(link: Link): void {
    this.#dropLink(link.index);
    this.#links.set(link.index, link);
    this.#byName.set(link.name, link.index);
    const ports = this.#ports.get(link.master) ?? new Set();
    this.#ports.set(link.master, ports.add(link.index));
  }

  #dropLink(index: number): void {
    this.#ground = true;
    this.#linksRevision++;
    const link = this.#links.get(index);
    if (link === undefined) return;
    this.#links.delete(index);
    if (this.#byName.get(link.name) === index) this.#byName.delete(link.name);
    this.#ports.get(link.master)?.delete(index);
  }

  /** The kernel does not announce each of the entries that go with a link. */
  #forgetLink(index: number): void {
    this.#dropLink(index);
    for (const [key, { link }] of this.addresses) if (link === index) this.addresses.delete(key);
    for (const [key, { link }] of this.neighbours) if (link === index) this.neighbours.delete(key);
    for (const [key, { link }] of this.fdb) if (link === index) this.fdb.delete(key);
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

function neighbourKey({ link, address }: Pick<Neighbour, 'link' | 'address'>): string {
  return `${link} ${address}`;
}

/** An entry that follows its sender keeps its key; flood entries differ by where they lead. */
function entryKey({ link, table, mac, remoteVtep }: EntryPlace): string {
  return `${link} ${table} ${mac}${mac === FLOOD_MAC ? ` ${remoteVtep}` : ''}`;
}
