/**
 * The one batch of messages that moves all that a card has to its bridge, or back. The kernel works on the messages of one `sendto` in
 * order and to the end, also if the sender is killed meanwhile: so the move happens as a whole or not at all.
 */

import type { Mac } from '../../model/address/mac.ts';
import type { MeshError } from '../../model/error.ts';
import { AF_INET6, ENODEV, ENOENT, errnoError } from '../libc.ts';
import { MessageWriter } from '../netlink/message-writer.ts';
import { messages, NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST } from '../netlink/netlink.ts';
import { RTM_DELADDR, RTM_NEWADDR } from '../rtnl/address.ts';
import { RTM_NEWNEIGH } from '../rtnl/neighbour.ts';
import { RTM_DELROUTE, RTM_NEWROUTE } from '../rtnl/route.ts';
import type { RtnlChannel } from '../rtnl/rtnl-channel.ts';
import { RTM_DELRULE, RTM_NEWRULE } from '../rtnl/rule.ts';
import { type AddressCopy, addressGone, addressOn } from './address-copy.ts';
import { writeCopy } from './copied-message.ts';
import type { LinkContents } from './link-contents.ts';
import { neighbourOn } from './neighbour-copy.ts';
import { isOfEachLink, type RouteCopy, routeGone, routeOn } from './route-copy.ts';
import { ruleFor } from './rule-copy.ts';

const RTM_DELLINK = 17;
const EEXIST = 17;
const ESRCH = 3;
const EADDRNOTAVAIL = 99;
const RTM_SETLINK = 19;
const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MASTER = 10;
const IFLA_AF_SPEC = 26;
const IFLA_INET6_ADDR_GEN_MODE = 8;
const IFF_UP = 1;
const THERE = new Set([EEXIST]);
const GONE = new Set([ENOENT, ESRCH, EADDRNOTAVAIL, ENODEV]);
/** Refusals that say that nothing was left to do, by the type of the message. */
const TOLERATED: ReadonlyMap<number, ReadonlySet<number>> = new Map([
  [RTM_NEWADDR, THERE],
  [RTM_NEWROUTE, THERE],
  [RTM_NEWRULE, THERE],
  [RTM_NEWNEIGH, THERE],
  [RTM_DELADDR, GONE],
  [RTM_DELROUTE, GONE],
  [RTM_DELRULE, GONE],
]);
/** IN6_ADDR_GEN_MODE_* by its word. */
const ADDRESS_MODES = ['eui64', 'none', 'stable-privacy', 'random'] as const;

/** How a link makes its link-local IPv6 address. */
export type AddressMode = (typeof ADDRESS_MODES)[number];

/** One end of a move: a link by its index, with the name that it has before and after. */
export interface MoveEnd {
  readonly index: number;
  readonly name: string;
  /** The name that rules and labels go by after the move. */
  readonly nameAfter: string;
}

/** A change of a link by its index, so that it is in the same batch as one that renames the link. */
export interface IndexedChange {
  readonly index: number;
  readonly name?: string;
  readonly mac?: Mac;
  /** The index of the new master; 0 for none. */
  readonly master?: number;
  readonly up?: boolean;
  readonly addressMode?: AddressMode;
}

/** Messages that are sent by one call. */
export class TakeoverBatch {
  readonly #writer = new MessageWriter();

  /** A change of a link by its index. */
  change(change: IndexedChange): void {
    writeIndexedChange(this.#writer, change);
  }

  /** Deletes a link by its index. */
  delete(index: number): void {
    writeIndexedDelete(this.#writer, index);
  }

  /** Puts the contents of the link `from` on the link `to`. */
  move(contents: LinkContents, from: MoveEnd, to: MoveEnd): void {
    writeMove(this.#writer, contents, from, to);
  }

  /**
   * Sends the messages, in their order.
   * @returns what the kernel refused, without what was there already or is gone already
   * @throws MESH_KERNEL_CLOSED, MESH_KERNEL_REFUSED
   */
  async sendBy(channel: RtnlChannel): Promise<readonly MeshError[]> {
    const { bytes } = this.#writer;
    const types = [...messages(bytes)].map(({ type }) => type);
    const refusals = await channel.applyWhole(this.#writer);
    return refusals
      .filter(({ sequence, errno }) => !TOLERATED.get(types[sequence] ?? 0)?.has(errno))
      .map(({ sequence, errno, text }) =>
        errnoError(
          errno,
          'move addresses and routes',
          `message ${sequence} of type ${types[sequence]}`,
          undefined,
          text,
        ),
      );
  }
}

function writeIndexedChange(writer: MessageWriter, change: IndexedChange): void {
  writer.begin(RTM_SETLINK, NLM_F_REQUEST);
  writer.u32(0);
  writer.u32(change.index);
  writer.u32(change.up === true ? IFF_UP : 0);
  writer.u32(change.up === undefined ? 0 : IFF_UP);
  if (change.name !== undefined) writer.attributeText(IFLA_IFNAME, change.name);
  if (change.mac !== undefined) writer.attributeMac(IFLA_ADDRESS, change.mac);
  if (change.master !== undefined) writer.attributeU32(IFLA_MASTER, change.master);
  const { addressMode } = change;
  if (addressMode !== undefined) {
    writer.nested(IFLA_AF_SPEC, () =>
      writer.nested(AF_INET6, () => writer.attributeU8(IFLA_INET6_ADDR_GEN_MODE, ADDRESS_MODES.indexOf(addressMode))),
    );
  }
  writer.end();
}

function writeIndexedDelete(writer: MessageWriter, index: number): void {
  writer.begin(RTM_DELLINK, NLM_F_REQUEST);
  writer.u32(0);
  writer.u32(index);
  writer.u32(0);
  writer.u32(0);
  writer.end();
}

/**
 * Writes the messages that put the contents of `from` on `to`. First all is made there, and only then taken away here: an address that
 * is on two links is one of this machine all the time, and sockets and routes with the address as their source stay. Only an IPv6 route
 * leaves its old link first, since the kernel would make one route with two next hops of both.
 */
function writeMove(writer: MessageWriter, contents: LinkContents, from: MoveEnd, to: MoveEnd): void {
  const target = { name: to.nameAfter, index: to.index };
  const addresses = contents.addresses.filter(({ link }) => link === from.index);
  const routes = contents.routes.filter(({ links }) => links.includes(from.index));
  for (const address of addresses) {
    const on = addressOn(address, from.name, target, address.family === 4 || hasPrefixRoute(address, routes));
    writeCopy(writer, RTM_NEWADDR, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE, on);
  }
  for (const neighbour of contents.neighbours.filter(({ link }) => link === from.index)) {
    writeCopy(writer, RTM_NEWNEIGH, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE, neighbourOn(neighbour, to.index));
  }
  // A gateway may be reached by one of the routes without a gateway.
  for (const route of routes.toSorted((one, other) => Number(one.byGateway) - Number(other.byGateway))) {
    if (isOfEachLink(route)) continue;
    const on = routeOn(route, from.index, to.index);
    if (route.family === 6) writeCopy(writer, RTM_DELROUTE, NLM_F_REQUEST, routeGone(route));
    writeCopy(writer, RTM_NEWROUTE, NLM_F_REQUEST | NLM_F_CREATE | (route.family === 4 ? NLM_F_APPEND : 0), on);
    if (route.family === 4) writeCopy(writer, RTM_DELROUTE, NLM_F_REQUEST, routeGone(route));
  }
  if (from.name !== to.nameAfter) {
    for (const rule of contents.rules.filter(({ names }) => names.includes(from.name))) {
      writeCopy(writer, RTM_NEWRULE, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL, ruleFor(rule, from.name, to.nameAfter));
      writeCopy(writer, RTM_DELRULE, NLM_F_REQUEST, ruleFor(rule, from.name, from.name));
    }
  }
  // From the last: with the first address of a subnet, the kernel removes the others of that subnet.
  for (const address of addresses.toReversed()) writeCopy(writer, RTM_DELADDR, NLM_F_REQUEST, addressGone(address));
}

/** Whether the link has a route to the prefix of an IPv6 address. An advertisement may give an address without one. */
function hasPrefixRoute({ address, length, message, linkLocal }: AddressCopy, routes: readonly RouteCopy[]): boolean {
  if (linkLocal || length === 128) return true;
  const bytes = message.attributes.find(({ type, value }) => (type === 1 || type === 2) && value.length === 16)?.value;
  if (bytes === undefined) return address !== undefined;
  const prefix = Buffer.from(bytes.map((byte, at) => byte & maskAt(at, length)));
  return routes.some(
    (route) =>
      route.family === 6 && !route.byGateway && route.length === length && prefix.equals(padded(route.destination)),
  );
}

function maskAt(at: number, length: number): number {
  const bits = Math.min(8, Math.max(0, length - 8 * at));
  return (0xff << (8 - bits)) & 0xff;
}

function padded(destination: Buffer): Buffer {
  return Buffer.concat([destination, Buffer.alloc(16 - destination.length)]);
}
