/** Reports changes in the kernel as they happen: links, addresses, routes, neighbours, FDB entries, nftables. */
import { readFileSync } from 'node:fs';
import koffi from 'koffi';
import { MeshError } from '../../model/error.ts';
import { Signal, type Subscribable } from '../../model/signal.ts';
import { AF_BRIDGE } from '../libc.ts';
import { AttributeTable } from '../netlink/attribute-table.ts';
import { type Message, messages } from '../netlink/netlink.ts';
import {
  NETLINK_NETFILTER,
  NETLINK_ROUTE,
  NetlinkSocket,
  type NetlinkSocketOptions,
  type Received,
} from '../netlink/netlink-socket.ts';
import { RTM_DELADDR, RTM_NEWADDR, readAddress } from './address.ts';
import { readFdbEntry } from './fdb.ts';
import { RTM_DELLINK, RTM_NEWLINK, readLink, readPortChange } from './link.ts';
import { linkFamily } from './link-header.ts';
import { neighbourFamily, RTM_DELNEIGH, RTM_NEWNEIGH, readNeighbour } from './neighbour.ts';
import type { KernelEvent } from './objects.ts';
import { ReadingBudget } from './reading-budget.ts';
import { RT_TABLE_MAIN, RTM_DELROUTE, RTM_NEWROUTE, readRoute } from './route.ts';
import { RTM_DELRULE, RTM_NEWRULE, readRule } from './rule.ts';

/** Groups of rtnetlink: RTNLGRP_LINK, NEIGH (FDB entries too), IPV4_IFADDR, IPV4_ROUTE, IPV4_RULE, IPV6_IFADDR, IPV6_ROUTE. */
const RTNL_GROUPS = [1, 3, 5, 7, 8, 9, 11];
/** Groups of netfilter: NFNLGRP_NFTABLES. */
const NFT_GROUPS = [7];
/** NFNL_SUBSYS_NFTABLES and NFT_MSG_NEWGEN: the message that ends each transaction. */
const NFT_NEW_GENERATION = (10 << 8) | 15;

const NFGENMSG_BYTES = 4;
const NFTA_GEN_PROC_PID = 2;
const NFTA_GEN_PROC_NAME = 3;

/** Holds tens of thousands of events while the process is busy elsewhere. */
const RECEIVE_BUFFER_BYTES = 32 * 1024 * 1024;
/** After this many reads the event loop runs other work before we read on. */
const READS_AT_ONCE = 256;
/**
 * Rounds of reads in one call of `drain`: the kernel doubles the size of the buffer, and an event takes 800 bytes of it
 * or more. So a round after these has events that are younger than the call.
 */
const DRAIN_ROUNDS = (2 * RECEIVE_BUFFER_BYTES) / 800 / READS_AT_ONCE;

/** One socket. `read` turns waiting messages into events, and returns whether more may wait. */
interface Source {
  readonly socket: NetlinkSocket;
  readonly poll: ReturnType<typeof koffi.node.poll>;
  readonly budget: ReadingBudget;
  /** Starts the poll again after a pause. */
  pause?: NodeJS.Timeout;
  readonly read: (socket: NetlinkSocket, first?: Received) => boolean;
}

/** Where to listen, and which sockets are our own. */
interface KernelMonitorOptions {
  /** Path of the namespace to listen in; the process's own when absent. */
  readonly netns?: string;
  /** Port ids of our own rtnetlink sockets: events that they caused are marked as echoes. */
  readonly ownPortIds?: () => readonly number[];
  /** Routing tables besides the main one whose routes are reported. */
  readonly tables?: readonly number[];
  /** Room for events that wait for this process. Absent: for tens of thousands. */
  readonly receiveBufferBytes?: number;
  /** Whether changes of nftables are reported; absent: they are. */
  readonly nftables?: boolean;
}

/**
 * Reports kernel events, and marks those that our own requests caused (`echo`). The kernel stamps a request's port id
 * only on events of IPv4 addresses, routes and neighbours (except a neighbour's removal); links, IPv6 addresses and FDB
 * entries never carry it. nft transactions carry the thread that made them. The kernel sends no event when the alias,
 * group or address mode of a link that is down changes.
 */
export class KernelMonitor {
  readonly #options: KernelMonitorOptions;
  readonly #sources: Source[] = [];
  readonly #events = new Signal<KernelEvent>();
  /** Emits events in the order in which the kernel sent them; `overflow` means that some were lost. */
  readonly events: Subscribable<KernelEvent> = this.#events;

  private constructor(options: KernelMonitorOptions) {
    this.#options = options;
  }

  /**
   * Listens from now on. Subscribe to `events` in the same tick, before the event loop runs.
   * @throws MESH_KERNEL_REFUSED
   */
  static open(options: KernelMonitorOptions = {}): KernelMonitor {
    const monitor = new KernelMonitor(options);
    try {
      monitor.#listen(NETLINK_ROUTE, RTNL_GROUPS, (...waiting) => monitor.#readRtnl(...waiting));
      if (options.nftables !== false)
        monitor.#listen(NETLINK_NETFILTER, NFT_GROUPS, (...waiting) => monitor.#readNft(...waiting));
      return monitor;
    } catch (error) {
      monitor.close();
      throw error;
    }
  }

  /** Emits now all events that have happened so far, without waiting for the event loop. */
  drain(): void {
    for (const { socket, read, budget } of [...this.#sources]) {
      // A listener of the events of the first socket may have closed both.
      if (this.#sources.length === 0) return;
      // Each pass drains several times, and mostly nothing waits: that is not worth measuring.
      const first = next(socket);
      if (first === 'empty') continue;
      budget.measure(() => {
        let more = read(socket, first);
        for (let round = 1; round < DRAIN_ROUNDS && this.#sources.length > 0 && more; round++) more = read(socket);
      });
    }
  }

  close(): void {
    for (const { socket, poll, pause } of this.#sources.splice(0)) {
      clearTimeout(pause);
      poll.close();
      socket.close();
    }
  }

  #listen(protocol: NetlinkSocketOptions['protocol'], groups: readonly number[], read: Source['read']): void {
    const { netns, receiveBufferBytes = RECEIVE_BUFFER_BYTES } = this.#options;
    const socket = NetlinkSocket.open({
      protocol,
      groups: groups.reduce((bits, group) => bits | (1 << (group - 1)), 0),
      receiveBufferBytes,
      ...(netns !== undefined && { netns }),
    });
    // libuv stops polling a socket that has an error, as an overflow is: polling is started again after each call.
    const listen = (): void => {
      if (this.#sources.includes(source)) source.poll.start({ readable: true }, onReadable);
    };
    const onReadable = (): void => {
      const pauseMs = source.budget.measure(() => read(socket));
      if (pauseMs === 0) listen();
      else if (this.#sources.includes(source)) {
        source.poll.stop();
        source.pause = setTimeout(listen, pauseMs);
      }
    };
    const source: Source = {
      socket,
      poll: koffi.node.poll(socket.fd, { readable: true }, onReadable),
      read,
      budget: new ReadingBudget(),
    };
    this.#sources.push(source);
  }

  #readRtnl(socket: NetlinkSocket, first?: Received): boolean {
    const own = this.#options.ownPortIds?.() ?? [];
    const tables = [RT_TABLE_MAIN, ...(this.#options.tables ?? [])];
    const events: KernelEvent[] = [];
    const { complete, more } = readWaiting(socket, first, (message) => {
      const event = eventOf(message, own.includes(message.portId), tables);
      if (event !== undefined) events.push(event);
    });
    if (!complete) events.push({ type: 'overflow' });
    for (const event of events) this.#events.emit(event);
    return more;
  }

  /** Emits one event for a burst of transactions: the event only says that nftables must be read again. */
  #readNft(socket: NetlinkSocket, first?: Received): boolean {
    let changed = false;
    let echo = true;
    const { complete, more } = readWaiting(socket, first, (message) => {
      if (message.type !== NFT_NEW_GENERATION) return;
      changed = true;
      echo &&= isOurs(message);
    });
    if (changed || !complete) this.#events.emit({ type: 'nft', echo: echo && complete });
    return more;
  }
}

const generation = new AttributeTable(NFTA_GEN_PROC_NAME);

/**
 * Whether a thread of this process made the change. The kernel gives the thread's number in the first process
 * namespace. When we run in another one, our own number is not found here, and a thread with the same number usually
 * has another name.
 */
function isOurs({ bytes, start, end }: Message): boolean {
  generation.parse(bytes, start + NFGENMSG_BYTES, end);
  const number = generation.u32BE(NFTA_GEN_PROC_PID);
  const name = generation.text(NFTA_GEN_PROC_NAME);
  if (ownThreads.get(number) === name) return true;
  try {
    if (readFileSync(`/proc/self/task/${number}/comm`, 'utf8') !== `${name}\n`) return false;
    ownThreads.set(number, name);
    return true;
  } catch {
    return false;
  }
}

/** The threads that have changed nftables, by number: those of libuv's pool, which never end. Each join changes nftables, and /proc is slow. */
const ownThreads = new Map<number, string>();

/**
 * Reads the waiting messages, up to READS_AT_ONCE. `complete` is false when a message was lost or cannot be read;
 * `more` is true when messages may still wait.
 * @param first what the caller has received already
 */
function readWaiting(
  socket: NetlinkSocket,
  first: Received | undefined,
  take: (message: Message) => void,
): { complete: boolean; more: boolean } {
  let complete = true;
  let received = first ?? next(socket);
  for (let reads = 1; received !== 'empty'; reads++) {
    if (received === 'overflow') complete = false;
    else complete = takeAll(received, take) && complete;
    if (reads === READS_AT_ONCE) return { complete, more: true };
    received = next(socket);
  }
  return { complete, more: false };
}

/** What arrived next. A message that cannot be read counts as lost. */
function next(socket: NetlinkSocket): Received {
  return readable(() => socket.receive()) ?? 'overflow';
}

function takeAll(received: Buffer, take: (message: Message) => void): boolean {
  return (
    readable(() => {
      for (const message of messages(received)) take(message);
      return true;
    }) ?? false
  );
}

/** @returns undefined for a message that cannot be read */
function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof MeshError && error.code === 'MESH_KERNEL_MALFORMED') return undefined;
    throw error;
  }
}

/**
 * The event that a message describes.
 * @returns undefined for objects that we ignore, such as FDB entries of a VLAN and routes outside of `tables`
 */
function eventOf(message: Message, echo: boolean, tables: readonly number[]): KernelEvent | undefined {
  switch (message.type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
      return linkEvent(message, echo);
    case RTM_NEWADDR:
    case RTM_DELADDR: {
      const address = readAddress(message);
      return address && { type: 'address', removed: message.type === RTM_DELADDR, address, echo };
    }
    case RTM_NEWROUTE:
    case RTM_DELROUTE: {
      const route = readRoute(message);
      if (route === undefined || !tables.includes(route.table)) return undefined;
      return { type: 'route', removed: message.type === RTM_DELROUTE, route, echo };
    }
    case RTM_NEWRULE:
    case RTM_DELRULE: {
      const rule = readRule(message);
      return rule && { type: 'rule', removed: message.type === RTM_DELRULE, rule, echo };
    }
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
      return neighbourEvent(message, echo);
    default:
      return undefined;
  }
}

/** A bridge reports its ports in messages of family AF_BRIDGE, which lack most attributes of the link. */
function linkEvent(message: Message, echo: boolean): KernelEvent | undefined {
  const removed = message.type === RTM_DELLINK;
  if (linkFamily(message) !== AF_BRIDGE) return { type: 'link', removed, link: readLink(message), echo };
  const change = removed ? undefined : readPortChange(message);
  return change && { type: 'port', ...change, echo };
}

function neighbourEvent(message: Message, echo: boolean): KernelEvent | undefined {
  const removed = message.type === RTM_DELNEIGH;
  if (neighbourFamily(message) === AF_BRIDGE) {
    const entry = readFdbEntry(message);
    return entry && { type: 'fdb', removed, entry, echo };
  }
  const neighbour = readNeighbour(message);
  return neighbour && { type: 'neighbour', removed, neighbour, echo };
}
