/**
 * A simulated network kernel of one machine, as far as the agent uses it: the effect of rtnetlink requests on links,
 * addresses, routes, neighbour entries and FDB entries. `sim-kernel.test.ts` compares it with the real kernel.
 */
import type { Operation } from '../../src/agent/items/item-kind.ts';
import type { KernelDump } from '../../src/kernel/mirror/kernel-reader.ts';
import type {
  Address,
  FdbEntry,
  KernelEvent,
  Link,
  LinkConf,
  Neighbour,
  Route,
} from '../../src/kernel/rtnl/objects.ts';
import { type Ipv4, ipv4InSubnet } from '../../src/model/address/ipv4.ts';
import type { Mac } from '../../src/model/address/mac.ts';
import { SimAddresses } from './sim-addresses.ts';
import { SimEntries } from './sim-entries.ts';
import { SimLinks } from './sim-links.ts';
import type { Errno } from './sim-operation.ts';
import { printTable, runScript, type SimTable } from './sim-ruleset.ts';

type Listener = (event: KernelEvent) => void;

const CONF_OF_FILE: Readonly<Record<string, keyof LinkConf>> = {
  'ipv6/disable_ipv6': 'disableIpv6',
  'ipv6/accept_ra': 'acceptRa',
  'ipv6/autoconf': 'autoconf',
  'ipv6/accept_redirects': 'acceptRedirects',
  'ipv4/accept_redirects': 'acceptRedirects4',
  'ipv4/arp_ignore': 'arpIgnore',
};
const ECHO = { echo: true } as const;

/** The devices that receive packets of one VNI. */
interface VxlanReceiver {
  /** The VXLAN device. */
  readonly port: Link;
  /** The bridge of the device; undefined when there is none, or it is down. */
  readonly bridge: Link | undefined;
  /** The outer source addresses that our rules accept; undefined: any. */
  readonly sources: ReadonlySet<string> | undefined;
}

/**
 * Operations take effect at once and emit the events that the real kernel would send. `ProcessKernel` adds the delays.
 */
export class SimKernel {
  readonly #listeners = new Map<object, Listener>();
  readonly #addresses: SimAddresses;
  readonly #links: SimLinks;
  readonly #entries: SimEntries;
  readonly #tables = new Map<string, SimTable>();
  readonly #settings = new Map<string, string>();
  /** By VNI; cleared when links or rules change. A cache, because every packet needs its receiver. */
  readonly #receivers = new Map<number, VxlanReceiver | undefined>();
  /** Grows with each event. */
  revision = 0;
  /** The subscriber whose operation is being performed: its events are marked as an echo. */
  #requester: object | undefined;

  constructor() {
    const emit = (event: KernelEvent) => this.#emit(event);
    const onLinks = {
      neighboursLost: (index: number) => this.#entries.flushNeighbours(index),
      linkDown: (index: number) => {
        this.#addresses.linkDown(index);
        this.#entries.linkDown(index);
      },
      portFlushed: (index: number) => this.#entries.portFlushed(index),
      portLeft: (index: number) => this.#entries.portLeft(index),
      linkGone: (index: number) => {
        this.#addresses.linkGone(index);
        this.#entries.linkGone(index);
      },
    };
    this.#addresses = new SimAddresses(emit);
    this.#links = new SimLinks(onLinks, emit);
    this.#entries = new SimEntries(this.#links.links, emit);
  }

  // For the machine itself: its NICs.

  addNic(name: string, ipv4: Ipv4, length: number): void {
    this.#receivers.clear();
    this.#links.addNic(name);
    this.addIpv4(name, ipv4, length);
  }

  addIpv4(name: string, ipv4: Ipv4, length: number): void {
    this.#addresses.addIpv4(this.linkNamed(name)?.index ?? 0, ipv4, length);
  }

  removeIpv4(name: string, ipv4: Ipv4): void {
    this.#addresses.removeIpv4(this.linkNamed(name)?.index ?? 0, ipv4);
  }

  // For processes and packets.

  /** @param subscriber identifies the subscription; see `perform` */
  subscribe(subscriber: object, listener: Listener): void {
    this.#listeners.set(subscriber, listener);
  }

  unsubscribe(subscriber: object): void {
    this.#listeners.delete(subscriber);
  }

  /** Performs one operation. @param requester the subscriber that gets the events marked as an echo */
  perform(operation: Operation, requester?: object): Errno {
    this.#requester = requester;
    try {
      return this.#perform(operation);
    } finally {
      this.#requester = undefined;
    }
  }

  dump(): KernelDump {
    return {
      links: [...this.links.values()],
      addresses: [...this.addresses.values()],
      routes: [...this.routes.values()],
      neighbours: [...this.neighbours.values()],
      fdb: [...this.fdb.values()],
    };
  }

  get links(): ReadonlyMap<number, Link> {
    return this.#links.links;
  }

  get addresses(): ReadonlyMap<string, Address> {
    return this.#addresses.addresses;
  }

  get routes(): ReadonlyMap<string, Route> {
    return this.#addresses.routes;
  }

  get neighbours(): ReadonlyMap<string, Neighbour> {
    return this.#entries.neighbours;
  }

  get fdb(): ReadonlyMap<string, FdbEntry> {
    return this.#entries.fdb;
  }

  linkNamed(name: string): Link | undefined {
    return this.#links.named(name);
  }

  neighbour(link: number, address: string): Neighbour | undefined {
    return this.#entries.neighbour(link, address);
  }

  /** The entry of a VXLAN's own table for an Ethernet address. */
  entry(link: number, mac: Mac): FdbEntry | undefined {
    return this.#entries.entry(link, mac);
  }

  floodsOf(link: number): Iterable<FdbEntry> {
    return this.#entries.floodsOf(link);
  }

  printRuleset(family: string): string | undefined {
    const table = this.#tables.get(family);
    return table === undefined ? undefined : printTable(table);
  }

  setting(path: readonly string[]): string | undefined {
    return this.#settings.get(path.join('/'));
  }

  ipv4s(): Ipv4[] {
    return this.#addresses.ipv4s();
  }

  hasIpv4(ipv4: Ipv4): boolean {
    return this.#addresses.linkOf(ipv4) !== 0;
  }

  /** The next hop of a packet to `destination`: the destination itself when it is on a segment of this machine. */
  nextHop(destination: Ipv4): Ipv4 | undefined {
    const route = this.routeTo(destination);
    return route === undefined ? undefined : ((route.gateway as Ipv4 | undefined) ?? destination);
  }

  routeTo(destination: Ipv4): Route | undefined {
    return this.#addresses.routeTo(destination);
  }

  /** Whether this machine forwards packets from the NIC on whose segment `source` is. */
  forwards(source: Ipv4): boolean {
    const device = this.links.get(this.#addresses.linkTowards(source))?.name;
    return device !== undefined && this.#settings.get(`net/ipv4/conf/${device}/forwarding`) === '1';
  }

  /** The receiver of a VXLAN packet; undefined when no device of the VNI is up, or our rules drop the packet. */
  receiverOf(vni: number, source: Ipv4): VxlanReceiver | undefined {
    if (!this.#receivers.has(vni)) this.#receivers.set(vni, this.#findReceiver(vni));
    const found = this.#receivers.get(vni);
    if (found?.sources === undefined || found.sources.has(source)) return found;
    return this.#tables.get('inet')?.open.some((subnet) => ipv4InSubnet(source, subnet)) ? found : undefined;
  }

  /** Adds or moves an FDB entry, as a VXLAN does that learns from a packet. */
  learnEntry(entry: FdbEntry): void {
    this.#entries.put(entry);
  }

  learnNeighbour(neighbour: Neighbour): void {
    this.#entries.putNeighbour(neighbour);
  }

  forgetNeighbour(neighbour: Neighbour): void {
    this.#entries.dropNeighbour(neighbour);
  }

  #findReceiver(vni: number): VxlanReceiver | undefined {
    const port = [...this.links.values()].find(({ vxlan, up }) => vxlan?.vni === vni && up);
    if (port === undefined) return undefined;
    const master = this.links.get(port.master);
    return {
      port,
      bridge: master?.up === true ? master : undefined,
      sources: this.#tables.get('inet')?.sets.get(`sources_${vni}`),
    };
  }

  #perform(operation: Operation): Errno {
    if (!isOfEntries(operation)) this.#receivers.clear();
    switch (operation.do) {
      case 'link-add':
        return this.#links.add(operation);
      case 'link-set':
        return this.#links.set(operation.link, operation.change);
      case 'tap-make':
        return this.#links.add({ kind: 'tun', name: operation.link, mac: operation.mac });
      case 'delete-deferred':
      case 'link-delete':
        return this.#withLink(operation.link, (link) => this.#links.delete(link));
      case 'group-delete':
        return this.#links.deleteGroup(operation.group);
      case 'address-add':
        return this.#withLink(operation.link, (link) => this.#addresses.add(link, operation));
      case 'address-delete':
        return this.#withLink(operation.link, (link) => this.#addresses.delete(link, operation.address));
      case 'route-replace':
        return this.#addresses.replaceRoute(operation);
      case 'route-delete':
        return this.#addresses.deleteRoute(operation);
      case 'neighbour-replace':
        return this.#withLink(operation.link, (link) => this.#entries.replaceNeighbour(link, operation));
      case 'neighbour-delete':
        return this.#withLink(operation.link, (link) => this.#entries.deleteNeighbour(link, operation.address));
      case 'fdb-replace':
      case 'fdb-append':
      case 'fdb-delete':
        return this.#withLink(operation.link, (link) => this.#entries.change(link, operation));
      case 'sysctl':
        return this.#writeSetting(operation.path, operation.value);
      case 'sysctl-return':
        return this.#writeSetting(operation.path, '0');
      case 'nft': {
        const errno = runScript(this.#tables, operation.script);
        if (errno === undefined) this.#emit({ type: 'nft', echo: false });
        return errno;
      }
    }
  }

  #withLink(name: string, body: (link: Link) => Errno): Errno {
    const link = this.linkNamed(name);
    return link === undefined ? 'ENODEV' : body(link);
  }

  #writeSetting(path: readonly string[], value: string): Errno {
    const [, family, group, device = '', file] = path;
    // A flush of cached routes: this kernel caches none.
    if (group === 'route') return undefined;
    const name = CONF_OF_FILE[`${family}/${file}`];
    const link = this.linkNamed(device);
    if (link === undefined) return 'ENOENT';
    this.#settings.set(path.join('/'), value);
    if (name !== undefined) this.#links.setConf(link, { [name]: Number(value) });
    return undefined;
  }

  #emit(event: KernelEvent): void {
    this.revision++;
    for (const [subscriber, listener] of this.#listeners) {
      listener(subscriber === this.#requester ? { ...event, ...ECHO } : event);
    }
  }
}

function isOfEntries({ do: verb }: Operation): boolean {
  return verb.startsWith('fdb-') || verb.startsWith('neighbour-');
}
