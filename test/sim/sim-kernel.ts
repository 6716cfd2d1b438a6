/**
 * A machine's network kernel, as far as the agent uses it: what rtnetlink's requests do to links, addresses, routes,
 * neighbours and forwarding rows. `sim-kernel.test.ts` holds it to the real one.
 */
import type { Operation } from '../../src/agent/items/item.ts';
import type { KernelDump } from '../../src/agent/kernel-port.ts';
import type { Address, FdbRow, KernelEvent, Link, LinkConf, Neighbour, Route } from '../../src/kernel/objects.ts';
import type { LinkChange } from '../../src/kernel/operation.ts';
import { type Ipv4, type Ipv4Cidr, ipv4InSubnet, ipv4Subnet, isIpv4 } from '../../src/model/ipv4.ts';
import type { Ipv6 } from '../../src/model/ipv6.ts';
import { FLOOD_MAC, type Mac } from '../../src/model/mac.ts';
import { printTable, runScript, type SimTable } from './sim-ruleset.ts';

/** An errno's name; undefined is success. */
type Errno = string | undefined;
type Listener = (event: KernelEvent) => void;
type Of<Verb extends Operation['do']> = Extract<Operation, { do: Verb }>;

/** What the kernel gives a new link (Documentation/networking/ip-sysctl.rst). */
const NEW_CONF: LinkConf = { acceptRa: 1, autoconf: 1, acceptRedirects: 1, acceptRedirects4: 1, arpIgnore: 0 };
const CONF_OF_FILE: Readonly<Record<string, keyof LinkConf>> = {
  'ipv6/accept_ra': 'acceptRa',
  'ipv6/autoconf': 'autoconf',
  'ipv6/accept_redirects': 'acceptRedirects',
  'ipv4/accept_redirects': 'acceptRedirects4',
  'ipv4/arp_ignore': 'arpIgnore',
};
const MAIN_TABLE = 254;
/** rtnetlink.h: RTPROT_KERNEL. */
const PROTOCOL_KERNEL = 2;

export class SimKernel {
  readonly links = new Map<number, Link>();
  readonly addresses = new Map<string, Address>();
  readonly routes = new Map<string, Route>();
  readonly neighbours = new Map<string, Neighbour>();
  readonly fdb = new Map<string, FdbRow>();
  /** Grows with everything that happens. */
  revision = 0;
  /** The rows of each VXLAN by Ethernet address, once more, since every packet needs one. */
  readonly #ways = new Map<number, Map<Mac, FdbRow>>();
  /** The flood rows of each link, once more, since every broadcast needs them. */
  readonly #floods = new Map<number, Map<string, FdbRow>>();
  readonly #tables = new Map<string, SimTable>();
  readonly #settings = new Map<string, string>();
  readonly #listeners = new Map<object, Listener>();
  readonly #byName = new Map<string, number>();
  /** Bridges whose MTU was set after they were made. */
  readonly #fixedMtus = new Set<number>();
  #lastIndex = 0;
  /** Who asks at the moment: to that one, events are an echo. */
  #asker: object | undefined;

  // What the machine itself does: its port to the underlay.

  addPort(name: string, ipv4: Ipv4, length: number): void {
    const index = this.#newLink({ name, kind: 'veth', mac: '02:00:00:00:00:01' as Mac, mtuBytes: 1500, group: 0 });
    this.#changeLink(index, { up: true, running: true });
    this.addIpv4(name, ipv4, length);
  }

  addIpv4(name: string, ipv4: Ipv4, length: number): void {
    const link = this.#byName.get(name) ?? 0;
    const address: Address = {
      family: 4,
      link,
      address: ipv4,
      length,
      scope: 'global',
      tentative: false,
      nodad: false,
    };
    this.addresses.set(`${link} ${ipv4}`, address);
    this.#tell({ type: 'address', removed: false, address, echo: false });
    const destination = ipv4Subnet(ipv4, length);
    this.#putRoute({
      family: 4,
      destination,
      link,
      source: ipv4,
      table: MAIN_TABLE,
      protocol: PROTOCOL_KERNEL,
      scope: 253,
      metric: 0,
    });
  }

  /** The routes that lead through the address's subnet go with it, without a word. */
  removeIpv4(name: string, ipv4: Ipv4): void {
    const link = this.#byName.get(name) ?? 0;
    const address = this.addresses.get(`${link} ${ipv4}`);
    if (address === undefined) return;
    this.addresses.delete(`${link} ${ipv4}`);
    for (const [key, route] of this.routes) {
      if (route.source === ipv4 || (route.gateway !== undefined && this.#linkTowards(route.gateway as Ipv4) === 0)) {
        this.routes.delete(key);
      }
    }
    this.#tell({ type: 'address', removed: true, address, echo: false });
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

  linkNamed(name: string): Link | undefined {
    return this.links.get(this.#byName.get(name) ?? 0);
  }

  neighbour(link: number, address: string): Neighbour | undefined {
    return this.neighbours.get(`${link} ${address}`);
  }

  /** The row of a VXLAN for an Ethernet address. */
  row(link: number, mac: Mac): FdbRow | undefined {
    return this.#ways.get(link)?.get(mac);
  }

  floodsOf(link: number): Iterable<FdbRow> {
    return this.#floods.get(link)?.values() ?? [];
  }

  printRuleset(family: string): string | undefined {
    const table = this.#tables.get(family);
    return table === undefined ? undefined : printTable(table);
  }

  setting(path: readonly string[]): string | undefined {
    return this.#settings.get(path.join('/'));
  }

  ipv4s(): Ipv4[] {
    return [...this.addresses.values()].filter(({ family }) => family === 4).map(({ address }) => address as Ipv4);
  }

  hasIpv4(ipv4: Ipv4): boolean {
    return this.#linkOf(ipv4) !== 0;
  }

  /** Where a packet to `destination` goes first; itself when it is on the wire. */
  nextHop(destination: Ipv4): Ipv4 | undefined {
    const route = this.routeTo(destination);
    return route === undefined ? undefined : ((route.gateway as Ipv4 | undefined) ?? destination);
  }

  routeTo(destination: Ipv4): Route | undefined {
    let best: Route | undefined;
    for (const route of this.routes.values()) {
      if (route.family !== 4 || !ipv4InSubnet(destination, route.destination as Ipv4Cidr)) continue;
      if (best === undefined || lengthOf(route) > lengthOf(best)) best = route;
    }
    if (best === undefined || best.gateway === undefined) return best;
    const source = this.routeTo(best.gateway as Ipv4)?.source;
    return source === undefined ? undefined : { ...best, source };
  }

  /** Whether packets that come in from `source`'s side are passed on. */
  forwards(source: Ipv4): boolean {
    const device = this.links.get(this.#linkTowards(source))?.name;
    return device !== undefined && this.#settings.get(`net/ipv4/conf/${device}/forwarding`) === '1';
  }

  /** Whether our rules let a VXLAN packet of this network in. */
  takesFrom(source: Ipv4, vni: number): boolean {
    const table = this.#tables.get('inet');
    const sources = table?.sets.get(`sources_${vni}`);
    if (table === undefined || sources === undefined || sources.has(source)) return true;
    return table.open.some((subnet) => ipv4InSubnet(source, subnet));
  }

  /** What the kernel learns from packets: a VXLAN's row, a neighbour. */
  learnRow(row: FdbRow): void {
    this.#putRow(row);
  }

  learnNeighbour(neighbour: Neighbour): void {
    this.#putNeighbour(neighbour);
  }

  forgetNeighbour(neighbour: Neighbour): void {
    if (!this.neighbours.delete(`${neighbour.link} ${neighbour.address}`)) return;
    this.#tell({ type: 'neighbour', removed: true, neighbour, echo: false });
  }

  #perform(operation: Operation): Errno {
    switch (operation.do) {
      case 'link-add':
        return this.#addLink(operation);
      case 'link-set':
        return this.#setLink(operation.link, operation.change);
      case 'doom':
      case 'link-delete':
        return this.#withLink(operation.link, (link) => this.#deleteLink(link));
      case 'group-delete':
        for (const link of [...this.links.values()]) if (link.group === operation.group) this.#deleteLink(link);
        return undefined;
      case 'address-add':
        return this.#withLink(operation.link, (link) => this.#addAddress(link, operation));
      case 'address-delete':
        return this.#withLink(operation.link, (link) => this.#deleteAddress(link, operation.address));
      case 'route-replace':
        return this.#replaceRoute(operation);
      case 'route-delete':
        return this.#deleteRoute(operation);
      case 'neighbour-replace':
        return this.#withLink(operation.link, (link) => this.#replaceNeighbour(link, operation));
      case 'neighbour-delete':
        return this.#withLink(operation.link, (link) => this.#deleteNeighbour(link, operation.address));
      case 'fdb-replace':
      case 'fdb-append':
      case 'fdb-delete':
        return this.#withLink(operation.link, (link) => this.#changeRow(link, operation));
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

  #addLink({ name, kind, mac, mtuBytes = 1500, group = 0, master, up, vxlan }: Of<'link-add'>): Errno {
    const bridge = master === undefined ? undefined : this.linkNamed(master);
    if (master !== undefined && bridge === undefined) return 'ENODEV';
    if (this.#byName.has(name)) return 'EEXIST';
    if (vxlan !== undefined) {
      for (const link of this.links.values()) {
        if (link.vxlan?.vni === vxlan.vni && link.vxlan.udpPort === vxlan.udpPort) return 'EEXIST';
      }
    }
    const index = this.#newLink({ name, kind, mac: mac ?? ('02:00:00:00:00:02' as Mac), mtuBytes, group });
    if (vxlan !== undefined) this.#changeLink(index, { vxlan });
    if (bridge !== undefined) this.#enslave(index, bridge.index);
    if (up === true) this.#setLink(name, { up });
    return undefined;
  }

  #newLink(given: Pick<Link, 'name' | 'kind' | 'mac' | 'mtuBytes' | 'group'>): number {
    const index = ++this.#lastIndex;
    this.#byName.set(given.name, index);
    this.links.set(index, {
      ...given,
      index,
      up: false,
      running: false,
      loopback: false,
      master: 0,
      alias: '',
      addressMode: 'eui64',
      forwards: false,
      conf: NEW_CONF,
    });
    this.#changeLink(index, {});
    return index;
  }

  #setLink(name: string, change: LinkChange): Errno {
    const link = this.linkNamed(name);
    if (link === undefined) return 'ENODEV';
    const { master, vxlan, port, name: newName, ...plain } = change;
    if (newName !== undefined && newName !== name) {
      if (this.#byName.has(newName)) return 'EEXIST';
      this.#byName.delete(name);
      this.#byName.set(newName, link.index);
    }
    if (plain.mtuBytes !== undefined) this.#fixedMtus.add(link.index);
    const bridge = master === undefined || master === '' ? undefined : this.linkNamed(master);
    if (master !== undefined && master !== '' && bridge === undefined) return 'ENODEV';
    if ((plain.up === false && link.up) || plain.mac !== undefined) this.#flushNeighbours(link.index);
    if (plain.up === false && link.up) this.#goesDown(link);
    this.#changeLink(link.index, {
      ...plain,
      ...(newName !== undefined && { name: newName }),
      ...(plain.up !== undefined && { running: plain.up }),
      ...(vxlan !== undefined && link.vxlan !== undefined && { vxlan: { ...link.vxlan, ...vxlan } }),
      ...(port !== undefined && link.port !== undefined && { port: { ...link.port, ...port } }),
    });
    if (master === '') this.#enslave(link.index, 0);
    else if (bridge !== undefined) this.#enslave(link.index, bridge.index);
    return undefined;
  }

  /** IPv6 addresses go with the link's state; of a VXLAN, all rows that are not permanent. */
  #goesDown({ index }: Link): void {
    for (const [key, address] of this.addresses) {
      if (address.link !== index || address.family !== 6) continue;
      this.addresses.delete(key);
      this.#tell({ type: 'address', removed: true, address, echo: false });
    }
    for (const row of [...this.fdb.values()]) {
      if (row.link === index && row.table === 'self' && row.state !== 'permanent') this.#dropRow(row);
    }
  }

  /** A port that leaves a bridge takes its rows with it. */
  #enslave(index: number, bridge: number): void {
    const link = this.links.get(index);
    if (link === undefined || link.master === bridge) return;
    for (const row of [...this.fdb.values()]) if (row.link === index && row.table === 'master') this.#dropRow(row);
    const { port: _, ...rest } = link;
    this.links.set(
      index,
      bridge === 0 ? { ...rest, master: 0 } : { ...rest, master: bridge, port: { learning: true, locked: false } },
    );
    this.#changeLink(index, {});
    for (const changed of [link.master, bridge]) this.#adjustMtu(changed);
  }

  /** Until somebody sets it, a bridge has the MTU of its smallest port (br_mtu_auto_adjust). */
  #adjustMtu(index: number): void {
    const bridge = this.links.get(index);
    if (bridge === undefined || this.#fixedMtus.has(index)) return;
    const mtus = [...this.links.values()].filter(({ master }) => master === index).map(({ mtuBytes }) => mtuBytes);
    const mtuBytes = mtus.length === 0 ? 1500 : Math.min(...mtus);
    if (mtuBytes !== bridge.mtuBytes) this.#changeLink(index, { mtuBytes });
  }

  #changeLink(index: number, change: Partial<Link>): void {
    const before = this.links.get(index);
    if (before === undefined) return;
    const link = { ...before, ...change };
    this.links.set(index, link);
    this.#tell({ type: 'link', removed: false, link, echo: false });
  }

  #deleteLink(link: Link): undefined {
    if (link.kind === 'bridge') {
      for (const port of [...this.links.values()]) if (port.master === link.index) this.#enslave(port.index, 0);
    }
    for (const table of [this.addresses, this.neighbours, this.fdb, this.routes]) {
      for (const [key, entry] of table) if (entry.link === link.index) table.delete(key);
    }
    this.#floods.delete(link.index);
    this.#ways.delete(link.index);
    this.links.delete(link.index);
    this.#byName.delete(link.name);
    this.#adjustMtu(link.master);
    this.#tell({ type: 'link', removed: true, link, echo: false });
    return undefined;
  }

  /** Asked with NLM_F_REPLACE: adding one that is there is harmless. */
  #addAddress(link: Link, { address, length, nodad = false }: Of<'address-add' | 'address-delete'>): Errno {
    const key = `${link.index} ${address}`;
    const added: Address = {
      family: 6,
      link: link.index,
      address,
      length,
      scope: address.startsWith('fe80:') ? 'link' : 'global',
      tentative: false,
      nodad,
    };
    this.addresses.set(key, added);
    this.#tell({ type: 'address', removed: false, address: added, echo: false });
    return undefined;
  }

  #deleteAddress(link: Link, ip: Ipv4 | Ipv6): Errno {
    const key = `${link.index} ${ip}`;
    const address = this.addresses.get(key);
    if (address === undefined) return 'EADDRNOTAVAIL';
    this.addresses.delete(key);
    this.#tell({ type: 'address', removed: true, address, echo: false });
    return undefined;
  }

  #replaceRoute({ destination, gateway, protocol }: Of<'route-replace' | 'route-delete'>): Errno {
    const link = gateway === undefined ? 0 : this.#linkTowards(gateway as Ipv4);
    if (gateway === undefined || link === 0) return 'ENETUNREACH';
    this.#putRoute({ family: 4, destination, gateway, link, table: MAIN_TABLE, protocol, scope: 0, metric: 0 });
    return undefined;
  }

  #deleteRoute({ destination }: Of<'route-replace' | 'route-delete'>): Errno {
    const route = this.routes.get(destination);
    if (route === undefined) return 'ESRCH';
    this.routes.delete(destination);
    this.#tell({ type: 'route', removed: true, route, echo: false });
    return undefined;
  }

  #putRoute(route: Route): void {
    this.routes.set(route.destination, route);
    this.#tell({ type: 'route', removed: false, route, echo: false });
  }

  #replaceNeighbour(link: Link, { address, mac, protocol }: Of<'neighbour-replace'>): undefined {
    const family = isIpv4(address) ? 4 : 6;
    this.#putNeighbour({
      family,
      link: link.index,
      address,
      mac,
      state: 'permanent',
      externLearn: true,
      protocol,
    });
    return undefined;
  }

  #deleteNeighbour(link: Link, address: string): Errno {
    const neighbour = this.neighbours.get(`${link.index} ${address}`);
    if (neighbour === undefined) return 'ENOENT';
    this.neighbours.delete(`${link.index} ${address}`);
    this.#tell({ type: 'neighbour', removed: true, neighbour, echo: false });
    return undefined;
  }

  #putNeighbour(neighbour: Neighbour): void {
    this.neighbours.set(`${neighbour.link} ${neighbour.address}`, neighbour);
    this.#tell({ type: 'neighbour', removed: false, neighbour, echo: false });
  }

  #flushNeighbours(link: number): void {
    for (const [key, neighbour] of this.neighbours) {
      if (neighbour.link !== link) continue;
      this.neighbours.delete(key);
      this.#tell({ type: 'neighbour', removed: true, neighbour, echo: false });
    }
  }

  #changeRow(link: Link, operation: Of<'fdb-replace' | 'fdb-append' | 'fdb-delete'>): Errno {
    const { table, mac, destination, externLearn, sticky = false } = operation;
    if (table === 'master' ? link.master === 0 : link.vxlan === undefined) return 'ENOTSUP';
    const state = table === 'master' && externLearn ? 'dynamic' : operation.state;
    const row: FdbRow = {
      table,
      link: link.index,
      mac,
      state,
      externLearn,
      sticky,
      ...(destination !== undefined && { destination }),
    };
    const present = this.fdb.get(rowKey(row));
    if (operation.do === 'fdb-delete') {
      const others = mac === FLOOD_MAC && (this.#floods.get(link.index)?.size ?? 0) > 0;
      if (present === undefined) return others ? undefined : 'ENOENT';
      // Taking away a destination that the row does not have succeeds (__vxlan_fdb_delete).
      if (destination === undefined || present.destination === destination) this.#dropRow(present);
      return undefined;
    }
    if (operation.do === 'fdb-replace' && mac === FLOOD_MAC) return 'ENOTSUP';
    if (operation.do === 'fdb-append' && present !== undefined) return undefined;
    if (table === 'master') this.#leaveOtherPorts(link, mac);
    // A VXLAN's row that was asked for keeps its state, whatever replaces it (vxlan_fdb_update_existing).
    const kept = table === 'self' && present?.externLearn === true ? present.state : state;
    this.#putRow({ ...row, state: kept });
    return undefined;
  }

  /** A bridge has one row for an address. */
  #leaveOtherPorts({ index, master }: Link, mac: Mac): void {
    for (const port of this.links.values()) {
      if (port.master === master && port.index !== index) this.fdb.delete(`${port.index} master ${mac}`);
    }
  }

  #putRow(row: FdbRow): void {
    this.fdb.set(rowKey(row), row);
    if (row.mac === FLOOD_MAC && row.destination !== undefined) {
      const floods = this.#floods.get(row.link) ?? new Map<string, FdbRow>();
      this.#floods.set(row.link, floods.set(row.destination, row));
    } else if (row.table === 'self') {
      const ways = this.#ways.get(row.link) ?? new Map<Mac, FdbRow>();
      this.#ways.set(row.link, ways.set(row.mac, row));
    }
    this.#tell({ type: 'fdb', removed: false, row, echo: false });
  }

  #dropRow(row: FdbRow): void {
    this.fdb.delete(rowKey(row));
    if (row.mac === FLOOD_MAC) this.#floods.get(row.link)?.delete(row.destination ?? '');
    else if (row.table === 'self') this.#ways.get(row.link)?.delete(row.mac);
    this.#tell({ type: 'fdb', removed: true, row, echo: false });
  }

  #writeSetting(path: readonly string[], value: string): Errno {
    const [, family, group, device = '', file] = path;
    // The underlay caches no routes here, so that there is nothing to forget.
    if (group === 'route') return undefined;
    const name = CONF_OF_FILE[`${family}/${file}`];
    const link = this.linkNamed(device);
    if (link === undefined) return 'ENOENT';
    this.#settings.set(path.join('/'), value);
    // The kernel announces none of these.
    if (name !== undefined) this.links.set(link.index, { ...link, conf: { ...link.conf, [name]: Number(value) } });
    return undefined;
  }

  #linkOf(ipv4: Ipv4): number {
    for (const { address, link } of this.addresses.values()) if (address === ipv4) return link;
    return 0;
  }

  #linkTowards(ipv4: Ipv4): number {
    for (const { family, address, length, link } of this.addresses.values()) {
      if (family === 4 && ipv4InSubnet(ipv4, ipv4Subnet(address as Ipv4, length))) return link;
    }
    return 0;
  }

  #tell(event: KernelEvent): void {
    this.revision++;
    for (const [who, listener] of this.#listeners) listener(who === this.#asker ? { ...event, ...ECHO } : event);
  }
}

const ECHO = { echo: true } as const;

function rowKey({ link, table, mac, destination }: FdbRow): string {
  return `${link} ${table} ${mac}${mac === FLOOD_MAC ? ` ${destination}` : ''}`;
}

function lengthOf({ destination }: Route): number {
  return Number(destination.split('/')[1]);
}
