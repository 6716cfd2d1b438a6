/** rtnetlink: changes, dumps and questions, in the order in which they are asked. */

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
import type { Address, FdbEntry, Link, Neighbour, Route } from './objects.ts';
import type { KernelOperation } from './operation.ts';
import { encodeOne } from './request.ts';
import { RTM_NEWROUTE, readRoute, writeRouteDump, writeRouteTo } from './route.ts';
import { type Read, RtnlChannel } from './rtnl-channel.ts';

export class Rtnl {
  readonly #channel: RtnlChannel;

  private constructor(channel: RtnlChannel) {
    this.#channel = channel;
  }

  /**
   * @param place.netns path of the namespace to work in; without it, the process's own
   * @throws MESH_KERNEL_REFUSED
   */
  static async open({ netns }: { readonly netns?: string } = {}): Promise<Rtnl> {
    return new Rtnl(new RtnlChannel(netns));
  }

  /** Port id of the socket: events that our own requests cause carry it. */
  get portId(): number {
    return this.#channel.portId;
  }

  /**
   * Does all `operations` in order; one that fails does not stop the others.
   * @returns for each, undefined or MESH_KERNEL_REFUSED with the errno's name in `cause`
   */
  apply(operations: readonly KernelOperation[]): Promise<(MeshError | undefined)[]> {
    return this.#channel.apply(operations);
  }

  links(): Promise<Link[]> {
    return this.#dump('links', (writer) => writeLinkGet(writer, NLM_F_DUMP), RTM_NEWLINK, readLink);
  }

  addresses(): Promise<Address[]> {
    return this.#dump('addresses', writeAddressDump, RTM_NEWADDR, readAddress);
  }

  /** The main table, both families. */
  async routes(): Promise<Route[]> {
    const families = [AF_INET, AF_INET6] as const;
    const routes = await Promise.all(
      families.map((family) =>
        this.#dump(
          'routes',
          (writer) => writeRouteDump(writer, family),
          RTM_NEWROUTE,
          (message) => readRoute(message),
        ),
      ),
    );
    return routes.flat();
  }

  neighbours(): Promise<Neighbour[]> {
    return this.#dump('neighbours', writeNeighbourDump, RTM_NEWNEIGH, readNeighbour);
  }

  /** Entries of VXLANs' own tables and of bridges', those of a VLAN left out. */
  fdb(): Promise<FdbEntry[]> {
    return this.#dump('forwarding tables', writeFdbDump, RTM_NEWNEIGH, readFdbEntry);
  }

  link(name: string): Promise<Link | undefined> {
    return this.#get('link', name, (writer) => writeLinkGet(writer, 0, name), readLink);
  }

  /**
   * How a packet to `destination` leaves: gateway, link and source address.
   * @throws MESH_KERNEL_REFUSED ENETUNREACH when there is no way
   */
  async routeTo(destination: Ip): Promise<Route> {
    const request = encodeOne((writer) => writeRouteTo(writer, destination));
    const { objects, refusal, unreadable } = await this.#channel.ask(request, (message) => readRoute(message, true));
    if (refusal !== undefined) throw errnoError(refusal.errno, 'find route to', destination, undefined, refusal.text);
    if (unreadable !== undefined) throw unreadable;
    const route = objects[0];
    if (route === undefined) throw new MeshError('MESH_KERNEL_MALFORMED', `no route in the answer for ${destination}`);
    return route;
  }

  neighbour(link: string, address: Ip): Promise<Neighbour | undefined> {
    const write = (writer: MessageWriter) => writeNeighbourGet(writer, link, address);
    return this.#get('neighbour', `${address} on ${link}`, write, readNeighbour);
  }

  /** The entry of `mac` in the own table of the VXLAN `link`, or in the table of the bridge that `link` is a port of. */
  fdbEntry(link: string, mac: Mac, table: FdbEntry['table'] = 'self'): Promise<FdbEntry | undefined> {
    return this.#get(
      'entry',
      `${mac} on ${link} ${table}`,
      (writer) => writeFdbGet(writer, table, link, mac),
      readFdbEntry,
    );
  }

  /** What was asked before and not answered is rejected. */
  close(): Promise<void> {
    return this.#channel.close();
  }

  async #dump<T>(what: string, write: (writer: MessageWriter) => void, type: number, read: Read<T>): Promise<T[]> {
    const ofType = (message: Message) => (message.type === type ? read(message) : undefined);
    const { objects, refusal, interrupted, unreadable } = await this.#channel.ask(encodeOne(write), ofType);
    // A routing table that was never written to does not exist yet.
    if (refusal !== undefined && refusal.errno !== ENOENT) {
      throw errnoError(refusal.errno, 'read', what, undefined, refusal.text);
    }
    if (interrupted === true) {
      throw new MeshError('MESH_KERNEL_REFUSED', `read ${what}: they changed during every attempt`, {
        operation: 'read',
        object: what,
        cause: { name: 'EINTR' },
        retryable: true,
      });
    }
    if (unreadable !== undefined) throw unreadable;
    return objects;
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
