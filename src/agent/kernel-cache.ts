/**
 * The kernel's state as the agent last heard of it: filled by a dump, kept by the monitor's events. Events say when to
 * look; a lost one costs time and never correctness, since a fresh dump replaces all of this once a minute.
 */
import type { Address, FdbRow, KernelEvent, Link, LinkConf, Neighbour, Route } from '../kernel/objects.ts';
import type { Ipv6 } from '../model/ipv6.ts';
import { FLOOD_MAC } from '../model/mac.ts';
import type { KernelDump } from './kernel-port.ts';

export class KernelCache {
  readonly links = new Map<number, Link>();
  readonly addresses = new Map<string, Address>();
  readonly routes = new Map<string, Route>();
  readonly neighbours = new Map<string, Neighbour>();
  readonly fdb = new Map<string, FdbRow>();

  static of(dump: KernelDump): KernelCache {
    const cache = new KernelCache();
    for (const link of dump.links) cache.links.set(link.index, link);
    for (const address of dump.addresses) cache.addresses.set(addressKey(address), address);
    for (const route of dump.routes) cache.routes.set(routeKey(route), route);
    for (const neighbour of dump.neighbours) cache.neighbours.set(neighbourKey(neighbour), neighbour);
    for (const row of dump.fdb) cache.fdb.set(rowKey(row), row);
    return cache;
  }

  replaceRoutes(routes: readonly Route[]): void {
    this.routes.clear();
    for (const route of routes) this.routes.set(routeKey(route), route);
  }

  linkNamed(name: string): Link | undefined {
    for (const link of this.links.values()) if (link.name === name) return link;
    return undefined;
  }

  /** The row as it was last heard of, wherever it led then. */
  rowAt(row: FdbRow): FdbRow | undefined {
    return this.fdb.get(rowKey(row));
  }

  /** Takes an event in. An `overflow` or `nft` event holds nothing to take. */
  take(event: KernelEvent): void {
    switch (event.type) {
      case 'link':
        if (event.removed) this.#forgetLink(event.link.index);
        else this.links.set(event.link.index, event.link);
        return;
      case 'address':
        put(this.addresses, addressKey(event.address), event.address, event.removed);
        return;
      case 'route':
        put(this.routes, routeKey(event.route), event.route, event.removed);
        return;
      case 'neighbour':
        put(this.neighbours, neighbourKey(event.neighbour), event.neighbour, event.removed);
        return;
      case 'fdb':
        this.#takeRow(event.row, event.removed);
        return;
      case 'port': {
        const link = this.links.get(event.link);
        if (link !== undefined) this.links.set(event.link, { ...link, port: event.port });
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
    this.addresses.set(addressKey(noted), noted);
  }

  /** Takes in a link's setting that was just written: the kernel announces few of them. */
  noteConf(name: string, conf: Partial<LinkConf>): void {
    const link = this.linkNamed(name);
    if (link !== undefined) this.links.set(link.index, { ...link, conf: { ...link.conf, ...conf } });
  }

  /** A bridge has one row for an address: when it is now behind another port, the kernel does not say that it left the first. */
  #takeRow(row: FdbRow, removed: boolean): void {
    if (row.table === 'master' && !removed) {
      const bridge = this.links.get(row.link)?.master;
      for (const port of this.links.values()) {
        if (port.master === bridge && port.index !== row.link) this.fdb.delete(rowKey({ ...row, link: port.index }));
      }
    }
    put(this.fdb, rowKey(row), row, removed);
  }

  /** The kernel does not announce each of the rows that go with a link. */
  #forgetLink(index: number): void {
    this.links.delete(index);
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

function neighbourKey({ link, address }: Neighbour): string {
  return `${link} ${address}`;
}

/** A row that follows its sender keeps its key; flood rows differ by where they lead. */
function rowKey({ link, table, mac, destination }: FdbRow): string {
  return `${link} ${table} ${mac}${mac === FLOOD_MAC ? ` ${destination}` : ''}`;
}
