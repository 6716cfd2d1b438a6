/** rtnetlink: changes, dumps and questions, answered in the order of the calls. */

import type { Mac } from '../../model/address/mac.ts';
import { MeshError } from '../../model/error.ts';
import type { Ip } from '../ip.ts';
import { AF_INET, AF_INET6, ENODEV, ENOENT, errnoError } from '../libc.ts';
import type { MessageWriter } from '../netlink/message-writer.ts';
import { type Message, NLM_F_DUMP } from '../netlink/netlink.ts';
import { RTM_NEWADDR, readAddress, writeAddressDump } from './address.ts';
import { readFdbEntry, writeFdbDump, writeFdbGet } from './fdb.ts';
import { RTM_NEWLINK, readLink, writeLinkGet } from './link.ts';
import { RTM_NEWNEIGH, readNeighbour, writeNeighbourDump, writeNeighbourGet } from './neighbour.ts';
import { addressKey, entryKey, neighbourObjectKey, routeKey, ruleKey } from './object-keys.ts';
import type { Address, EntryCount, FdbEntry, Link, Neighbour, Route, Rule } from './objects.ts';
import type { KernelOperation } from './operation.ts';
import { encodeOne } from './request.ts';
import { RT_TABLE_MAIN, RTM_NEWROUTE, readRoute, writeRouteDump, writeRouteTo } from './route.ts';
import { type Read, RtnlChannel } from './rtnl-channel.ts';
import { RTM_NEWRULE, readRule, writeRuleDump } from './rule.ts';

/** The table that an entry is in, and the remote VTEP that it leads to. */
interface EntryTable extends Omit<EntryCount, 'count'> {
  readonly mac?: never;
}

/**
 * Reads and changes links, addresses, routes, neighbour entries and FDB entries of one network namespace. Every read
 * rejects with MESH_KERNEL_REFUSED when the kernel refuses it, MESH_KERNEL_MALFORMED when its answer cannot be decoded,
 * and MESH_KERNEL_CLOSED after `close`.
 */
export class Rtnl {
  readonly #channel: RtnlChannel;

  private constructor(channel: RtnlChannel) {
    this.#channel = channel;
  }

  /**
   * Opens the socket.
   * @param options.netns path of the namespace to work in; the process's own when absent
   * @throws MESH_KERNEL_REFUSED
   */
  static async open({ netns }: { readonly netns?: string } = {}): Promise<Rtnl> {
    return new Rtnl(new RtnlChannel(netns));
  }

  /** Port id of the socket: events that our own requests cause carry this number. */
  get portId(): number {
    return this.#channel.portId;
  }

  /**
   * Applies all `operations` in order; one that fails does not stop the others.
   * @returns for each, undefined or MESH_KERNEL_REFUSED with the errno's name in `cause`
   */
  apply(operations: readonly KernelOperation[]): Promise<(MeshError | undefined)[]> {
    return this.#channel.apply(operations);
  }

  /** All links of the namespace. */
  links(): Promise<Link[]> {
    const write = (writer: MessageWriter) => writeLinkGet(writer, NLM_F_DUMP);
    return this.#dump('links', write, RTM_NEWLINK, readLink, ({ index }) => String(index));
  }

  /** All IP addresses, both families. */
  addresses(): Promise<Address[]> {
    return this.#dump('addresses', writeAddressDump, RTM_NEWADDR, readAddress, addressKey);
  }

  /**
   * All routes of the main table, both families.
   * @param matters which routes to keep; by default, all
   * @param more further tables whose IPv4 routes are read
   */
  async routes(matters: (route: Route) => boolean = () => true, more: readonly number[] = []): Promise<Route[]> {
    const routes = await Promise.all([
      this.#routesOf(AF_INET, matters),
      this.#routesOf(AF_INET6, matters),
      ...more.map((table) => this.#routesOf(AF_INET, matters, table)),
    ]);
    return routes.flat();
  }

  /** The IPv4 routes of the main table for which `matters` holds. A router has hundreds of thousands of others. */
  ipv4Routes(matters: (route: Route) => boolean): Promise<Route[]> {
    return this.#routesOf(AF_INET, matters);
  }

  #routesOf(
    family: typeof AF_INET | typeof AF_INET6,
    matters: (route: Route) => boolean,
    table = RT_TABLE_MAIN,
  ): Promise<Route[]> {
    const read = (message: Message): Route | undefined => {
      const route = readRoute(message);
      return route !== undefined && matters(route) ? route : undefined;
    };
    return this.#dump('routes', (writer) => writeRouteDump(writer, family, table), RTM_NEWROUTE, read, routeKey);
  }

  /** All IPv4 routing rules. */
  rules(): Promise<Rule[]> {
    return this.#dump('rules', writeRuleDump, RTM_NEWRULE, readRule, ruleKey);
  }

  /** All neighbour entries, both families. */
  neighbours(): Promise<Neighbour[]> {
    return this.#dump('neighbours', writeNeighbourDump, RTM_NEWNEIGH, readNeighbour, neighbourObjectKey);
  }

  /** All FDB entries of VXLAN devices and bridges, without those of a VLAN. */
  fdb(): Promise<FdbEntry[]> {
    return this.#dump('forwarding tables', writeFdbDump, RTM_NEWNEIGH, readFdbEntry, entryKey);
  }

  /**
   * The FDB entries for which `matters` holds, and the numbers of the others. A flood of made-up Ethernet addresses
   * leaves hundreds of thousands of entries that nobody here needs.
   */
  async fdbWhere(matters: (entry: FdbEntry) => boolean): Promise<{ entries: FdbEntry[]; others: EntryCount[] }> {
    // One object stands for all other entries of a table: a dump that was interrupted is read again, so nothing is counted here.
    const tables = new Map<string, EntryTable>();
    const read = (message: Message): FdbEntry | EntryTable | undefined => {
      const entry = readFdbEntry(message);
      if (entry === undefined || matters(entry)) return entry;
      const { link, table, remoteVtep } = entry;
      const key = `${link} ${table} ${remoteVtep}`;
      const known = tables.get(key) ?? { link, table, ...(remoteVtep !== undefined && { remoteVtep }) };
      tables.set(key, known);
      return known;
    };
    const objects = await this.#dump('forwarding tables', writeFdbDump, RTM_NEWNEIGH, read);
    const counts = new Map<EntryTable, number>();
    const entries: FdbEntry[] = [];
    for (const object of objects) {
      if (object.mac !== undefined) entries.push(object);
      else counts.set(object, (counts.get(object) ?? 0) + 1);
    }
    return { entries, others: [...counts].map(([table, count]) => ({ ...table, count })) };
  }

  /** The link with this name; undefined when there is none. */
  link(name: string): Promise<Link | undefined> {
    return this.#get('link', name, (writer) => writeLinkGet(writer, 0, name), readLink);
  }

  /**
   * The route that a packet to `destination` takes: gateway, link and source address.
   * @param udpPort the UDP port that the packet goes to, since rules may be for it
   * @throws MESH_KERNEL_REFUSED with ENETUNREACH when there is no route
   */
  async routeTo(destination: Ip, udpPort?: number): Promise<Route> {
    const request = encodeOne((writer) => writeRouteTo(writer, destination, udpPort));
    const { objects, refusal, unreadable } = await this.#channel.ask(request, (message) => readRoute(message, true));
    if (refusal !== undefined) throw errnoError(refusal.errno, 'find route to', destination, undefined, refusal.text);
    if (unreadable !== undefined) throw unreadable;
    const route = objects[0];
    if (route === undefined) throw new MeshError('MESH_KERNEL_MALFORMED', `no route in the answer for ${destination}`);
    return route;
  }

  /** The neighbour entry of `address` on `link`; undefined when there is none. */
  neighbour(link: string, address: Ip): Promise<Neighbour | undefined> {
    const write = (writer: MessageWriter) => writeNeighbourGet(writer, link, address);
    return this.#get('neighbour', `${address} on ${link}`, write, readNeighbour);
  }

  /**
   * The FDB entry of `mac` in the own table of the VXLAN device `link` (`self`), or in the table of the bridge that
   * `link` is a port of (`master`).
   */
  fdbEntry(link: string, mac: Mac, table: FdbEntry['table'] = 'self'): Promise<FdbEntry | undefined> {
    return this.#get(
      'entry',
      `${mac} on ${link} ${table}`,
      (writer) => writeFdbGet(writer, table, link, mac),
      readFdbEntry,
    );
  }

  /** Closes the socket when the message under way is answered. Calls that need a further message are rejected. */
  close(): Promise<void> {
    return this.#channel.close();
  }

  /** @param key identifies an object, if an interrupted dump has the object several times; absent: none is left out */
  async #dump<T>(
    what: string,
    write: (writer: MessageWriter) => void,
    type: number,
    read: Read<T>,
    key?: (object: T) => string,
  ): Promise<T[]> {
    const ofType = (message: Message) => (message.type === type ? read(message) : undefined);
    const { objects, refusal, interrupted, unreadable } = await this.#channel.ask(encodeOne(write), ofType);
    // The kernel answers ENOENT for a routing table that was never written to.
    if (refusal !== undefined && refusal.errno !== ENOENT) {
      throw errnoError(refusal.errno, 'read', what, undefined, refusal.text);
    }
    if (unreadable !== undefined) throw unreadable;
    if (interrupted !== true || key === undefined) return objects;
    return [...new Map(objects.map((object) => [key(object), object])).values()];
  }

  async #get<T>(
    what: string,
    object: string,
    write: (writer: MessageWriter) => void,
    read: Read<T>,
  ): Promise<T | undefined> {
    const { objects, refusal, unreadable } = await this.#channel.ask(encodeOne(write), read);
    if (unreadable !== undefined) throw unreadable;
    if (refusal === undefined) return objects[0];
    if (refusal.errno === ENOENT || refusal.errno === ENODEV) return undefined;
    throw errnoError(refusal.errno, `read ${what}`, object, undefined, refusal.text);
  }
}
