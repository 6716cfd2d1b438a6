/**
 * A machine's network kernel, as far as the agent uses it: what rtnetlink's requests do to links, addresses, routes,
 * neighbours and forwarding entries. `sim-kernel.test.ts` holds it to the real one.
 */
import type { Operation } from '../../src/agent/items/item-kind.ts';
import type { KernelDump } from '../../src/agent/kernel/kernel-port.ts';
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
  'ipv6/accept_ra': 'acceptRa',
  'ipv6/autoconf': 'autoconf',
  'ipv6/accept_redirects': 'acceptRedirects',
  'ipv4/accept_redirects': 'acceptRedirects4',
  'ipv4/arp_ignore': 'arpIgnore',
};
const ECHO = { echo: true } as const;

/** Where packets of one VNI come in. */
export interface Reception {
  readonly port: Link;
  /** What the port is in, if that is up. */
  readonly bridge: Link | undefined;
  /** The outer addresses that our rules let in; undefined is any. */
  readonly sources: ReadonlySet<string> | undefined;
}

export class SimKernel {
  readonly #listeners = new Map<object, Listener>();
  readonly #addresses: SimAddresses;
  readonly #links: SimLinks;
  readonly #entries: SimEntries;
  readonly #tables = new Map<string, SimTable>();
  readonly #settings = new Map<string, string>();
  /** By VNI, until links or rules change: every packet needs one. */
  readonly #receptions = new Map<number, Reception | undefined>();
  /** Grows with everything that happens. */
  revision = 0;
  /** Who asks at the moment: to that one, events are an echo. */
  #asker: object | undefined;

  constructor() {
    const tell = (event: KernelEvent) => this.#tell(event);
    const onLinks = {
      neighboursLost: (index: number) => this.#entries.flushNeighbours(index),
      linkDown: (index: number) => {
        this.#addresses.linkDown(index);
        this.#entries.linkDown(index);
      },
      portLeft: (index: number) => this.#entries.portLeft(index),
      linkGone: (index: number) => {
        this.#addresses.linkGone(index);
        this.#entries.linkGone(index);
      },
    };
    this.#addresses = new SimAddresses(tell);
    this.#links = new SimLinks(onLinks, tell);
    this.#entries = new SimEntries(this.#links.links, tell);
  }

  // What the machine itself does: its port to the underlay.

  addPort(name: string, ipv4: Ipv4, length: number): void {
    this.#receptions.clear();
    this.#links.addPort(name);
    this.addIpv4(name, ipv4, length);
  }

  addIpv4(name: string, ipv4: Ipv4, length: number): void {
    this.#addresses.addIpv4(this.linkNamed(name)?.index ?? 0, ipv4, length);
  }

  removeIpv4(name: string, ipv4: Ipv4): void {
    this.#addresses.removeIpv4(this.linkNamed(name)?.index ?? 0, ipv4);
  }

  // What others ask.

  subscribe(who: object, listener: Listener): void {
    this.#listeners.set(who, listener);
  }

  unsubscribe(who: object): void {
    this.#listeners.delete(who);
  }

  /** @param asker whose subscription sees the events as an echo of its own */
  perform(operation: Operation, asker?: object): Errno {
    this.#asker = asker;
    try {
      return this.#perform(operation);
    } finally {
      this.#asker = undefined;
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

  /** The entry of a VXLAN for an Ethernet address. */
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

  /** Where a packet to `destination` goes first; itself when it is on the segment. */
  nextHop(destination: Ipv4): Ipv4 | undefined {
    const route = this.routeTo(destination);
    return route === undefined ? undefined : ((route.gateway as Ipv4 | undefined) ?? destination);
  }

  routeTo(destination: Ipv4): Route | undefined {
    return this.#addresses.routeTo(destination);
  }

  /** Whether packets that come in from `source`'s side are passed on. */
  forwards(source: Ipv4): boolean {
    const device = this.links.get(this.#addresses.linkTowards(source))?.name;
    return device !== undefined && this.#settings.get(`net/ipv4/conf/${device}/forwarding`) === '1';
  }

  /** The port that is up and takes a VXLAN packet of this network, if our rules let it in. */
  reception(vni: number, source: Ipv4): Reception | undefined {
    if (!this.#receptions.has(vni)) this.#receptions.set(vni, this.#findReception(vni));
    const found = this.#receptions.get(vni);
    if (found?.sources === undefined || found.sources.has(source)) return found;
    return this.#tables.get('inet')?.open.some((subnet) => ipv4InSubnet(source, subnet)) ? found : undefined;
  }

  /** What the kernel learns from packets: a VXLAN's entry, a neighbour. */
  learnEntry(entry: FdbEntry): void {
    this.#entries.put(entry);
  }

  learnNeighbour(neighbour: Neighbour): void {
    this.#entries.putNeighbour(neighbour);
  }

  forgetNeighbour(neighbour: Neighbour): void {
    this.#entries.dropNeighbour(neighbour);
  }

  #findReception(vni: number): Reception | undefined {
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
    if (!isOfEntries(operation)) this.#receptions.clear();
    switch (operation.do) {
      case 'link-add':
        return this.#links.add(operation);
      case 'link-set':
        return this.#links.set(operation.link, operation.change);
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
      case 'nft': {
        const errno = runScript(this.#tables, operation.script);
        if (errno === undefined) this.#tell({ type: 'nft', echo: false });
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
    // The underlay caches no routes here, so that there is nothing to forget.
    if (group === 'route') return undefined;
    const name = CONF_OF_FILE[`${family}/${file}`];
    const link = this.linkNamed(device);
    if (link === undefined) return 'ENOENT';
    this.#settings.set(path.join('/'), value);
    if (name !== undefined) this.#links.setConf(link, { [name]: Number(value) });
    return undefined;
  }

  #tell(event: KernelEvent): void {
    this.revision++;
    for (const [who, listener] of this.#listeners) listener(who === this.#asker ? { ...event, ...ECHO } : event);
  }
}

function isOfEntries({ do: verb }: Operation): boolean {
  return verb.startsWith('fdb-') || verb.startsWith('neighbour-');
}
