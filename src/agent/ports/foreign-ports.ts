/**
 * Foreign interfaces on our bridges. An interface is wanted there for one of three reasons. An administrator plugged it in with
 * `mesh port plug`, which is recorded on disk. Or host0 has assigned it, which the last assignment says. Or it was on the bridge
 * when the bridge was deleted, and goes back when the bridge is created again. An interface that its owner took off an existing
 * bridge is forgotten.
 *
 * The kernel keeps no mark on such an interface. So a port that `mesh port unplug` is to take off is recorded, too,
 * until the kernel shows that it is off its bridge. The record is the mark by which a plan may remove the port.
 */
import { isDeepStrictEqual } from 'node:util';
import type { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import type { Link } from '../../kernel/rtnl/objects.ts';
import type { Clock } from '../../model/clock.ts';
import type { Network } from '../../model/network/network.ts';
import type { NetworkId } from '../../model/network/number.ts';
import { OUR_LINK_GROUP, parseAlias } from '../items/mark.ts';
import type { PortItem } from '../items/port.ts';

/**
 * When the kernel deletes a bridge, it first takes the ports off, up to 60 ms before it announces the deletion. A port
 * that has left its bridge counts as taken off by its owner only when the bridge still exists after this time.
 */
const DELETION_MS = 1_000;

/** One port, as the record on disk has it. */
export interface ForeignPort {
  /** Name of the interface. */
  readonly link: string;
  readonly network: NetworkId;
}

/** A port that is to be taken off a bridge. */
interface LeavingPort extends ForeignPort {
  /** Name of the bridge of another program that the port is on, where its network has such a bridge. */
  readonly foreignBridge?: string;
}

/** A port that should be on one of our bridges. */
interface WantedPort extends ForeignPort {
  /** Whether it was plugged in with `mesh port plug`, or assigned. Otherwise it was seen on the bridge. */
  readonly plugged: boolean;
}

/** The ports that an agent must know after a restart. */
export interface PortRecord {
  /** Ports that an administrator plugged in. */
  readonly plugged: readonly ForeignPort[];
  /** Ports that are to be taken off the bridge of their network. */
  readonly unplugging: readonly LeavingPort[];
  /** Ports that an administrator plugged into a network that the node does not have yet. Absent: none. */
  readonly wished?: readonly WishedPort[];
}

/** A port of a network that host0 has not given this node yet. */
export interface WishedPort {
  /** Name of the interface. */
  readonly link: string;
  /** The name of the network, as the administrator wrote it. */
  readonly networkName: string;
}

/** The record of one machine's ports, and what each look at the kernel adds to it. It changes nothing in the kernel. */
export class ForeignPorts {
  /** By interface name. */
  readonly #plugged: Map<string, NetworkId>;
  /** The ports that host0 has assigned, by interface name. */
  #assigned: ReadonlyMap<string, NetworkId> = new Map();
  /** Ports that are being taken off, by interface name. */
  readonly #unplugging: Map<string, WantedPort & LeavingPort>;
  /** The bridges of other programs that networks are on, by name. */
  #foreignBridges: ReadonlyMap<NetworkId, string> = new Map();
  /** Interfaces that were seen on one of our bridges, by name, with the index of that bridge. */
  readonly #seen = new Map<string, { network: NetworkId; bridge: number; offSinceMs?: number }>();
  /** Names of networks that the node does not have, by interface name. */
  readonly #wished: Map<string, string>;
  readonly #clock: Clock;
  #revision = 0;

  constructor({ plugged, unplugging, wished = [] }: PortRecord, clock: Clock) {
    this.#clock = clock;
    this.#plugged = new Map(plugged.map(({ link, network }) => [link, network]));
    this.#unplugging = new Map(unplugging.map((port) => [port.link, { ...port, plugged: true }]));
    this.#wished = new Map(wished.map(({ link, networkName }) => [link, networkName]));
  }

  /** The state to write to disk. */
  get record(): PortRecord {
    return {
      plugged: [...this.#plugged].map(([link, network]) => ({ link, network })),
      unplugging: [...this.#unplugging.values()].map(({ plugged: _, ...port }) => port),
      ...(this.#wished.size > 0 && { wished: this.wished }),
    };
  }

  /** The ports whose network the node does not have yet. */
  get wished(): readonly WishedPort[] {
    return [...this.#wished].map(([link, networkName]) => ({ link, networkName }));
  }

  /** The ports that an administrator plugged into networks of this node. */
  get plugged(): readonly ForeignPort[] {
    return [...this.#plugged].map(([link, network]) => ({ link, network }));
  }

  /** Grows whenever the record changes. */
  get revision(): number {
    return this.#revision;
  }

  /** Records the port as plugged; an unplugging that is not done yet is cancelled. */
  plug(port: ForeignPort): void {
    this.#revision++;
    this.#unplugging.delete(port.link);
    this.#wished.delete(port.link);
    this.#plugged.set(port.link, port.network);
  }

  /** Records a port of a network that the node does not have yet. A port of another network is taken off there. */
  wish({ link, networkName }: WishedPort): void {
    this.unplug(link);
    this.#revision++;
    this.#wished.set(link, networkName);
  }

  /** Whether host0 alone has put the interface on its bridge. */
  isAssigned(link: string): boolean {
    return this.#assigned.has(link) && !this.#plugged.has(link);
  }

  /** The ports that host0 has assigned. */
  get assigned(): readonly ForeignPort[] {
    return Array.from(this.#assigned, ([link, network]) => ({ link, network }));
  }

  /** Takes the ports that host0 has assigned, all of them. One that is no longer among them is taken off its bridge. */
  assign(ports: readonly ForeignPort[]): void {
    const now = new Map(ports.map(({ link, network }) => [link, network]));
    if (isDeepStrictEqual(now, this.#assigned)) return;
    this.#revision++;
    for (const [link, network] of this.#assigned) {
      if (now.get(link) === network || this.#plugged.has(link)) continue;
      this.#unplugging.set(link, { link, network, plugged: true, ...this.#foreignBridgeOf(network) });
      this.#seen.delete(link);
    }
    for (const link of now.keys()) this.#unplugging.delete(link);
    this.#assigned = now;
  }

  /** Plugs the ports whose network the node has by now. */
  fulfil(networks: readonly { readonly id: NetworkId; readonly name: string }[]): void {
    for (const [link, networkName] of this.#wished) {
      const network = networks.find(({ id, name }) => name === networkName || id === networkName);
      if (network !== undefined) this.plug({ link, network: network.id });
    }
  }

  /**
   * Records that the port is to be taken off.
   * @returns false when it was neither plugged nor wished nor seen, nor is being taken off
   */
  unplug(link: string): boolean {
    if (this.#wished.delete(link)) {
      this.#revision++;
      return true;
    }
    const network = this.#plugged.get(link) ?? this.#seen.get(link)?.network;
    if (network === undefined) return this.#unplugging.has(link);
    this.#revision++;
    this.#unplugging.set(link, {
      ...{ link, network, plugged: this.#plugged.has(link) },
      ...this.#foreignBridgeOf(network),
    });
    this.#plugged.delete(link);
    this.#seen.delete(link);
    return true;
  }

  /** The network that a port is being taken out of; undefined when it is out, or was never to be taken out. */
  unpluggedFrom(link: string): NetworkId | undefined {
    return this.#unplugging.get(link)?.network;
  }

  /** The ports that are being taken off and are still on the bridge of their network, as items that a plan removes. */
  toTakeOff(cache: KernelTables): PortItem[] {
    return [...this.#unplugging.values()].flatMap(({ link, network, foreignBridge }) => {
      const bridge = cache.links.get(cache.linkNamed(link)?.master ?? 0);
      if (bridge === undefined) return [];
      const isThere = foreignBridge === undefined ? isBridgeOf(network, bridge) : isForeign(bridge, foreignBridge);
      if (!isThere) return [];
      return [{ kind: 'port', network, link, bridge: bridge.name }];
    });
  }

  /**
   * Updates the ports from the kernel's state, and forgets those that have been taken off. A port that an administrator
   * has moved to another bridge is off, too.
   * @param cache a complete one: an interface that it lacks does not exist
   * @param networks all networks of the node
   * @returns every port that needs rules: those that should be on a bridge, and those that are being taken off
   */
  takeIn(
    cache: KernelTables,
    networks: readonly Pick<Network, 'id' | 'type'>[],
  ): (WantedPort & { readonly unplugging: boolean })[] {
    this.#foreignBridges = new Map(
      networks.flatMap(({ id, type }) => (type.kind === 'foreign-bridge' ? [[id, type.name] as const] : [])),
    );
    const left = new Set(this.toTakeOff(cache).map(({ link }) => link));
    for (const link of this.#unplugging.keys()) {
      if (!left.has(link) && this.#unplugging.delete(link)) this.#revision++;
    }
    return [
      ...this.wanted(cache).map((port) => ({ ...port, unplugging: false })),
      ...[...this.#unplugging.values()].map(({ link, network, plugged }) => ({
        link,
        network,
        plugged,
        unplugging: true,
      })),
    ];
  }

  /** Notes which interfaces are on our bridges now. @returns every existing interface that should be on one of them */
  wanted(cache: KernelTables): WantedPort[] {
    const bridges = new Map<number, NetworkId>();
    for (const link of cache.links.values()) {
      const mark = parseAlias(link.alias);
      if (mark?.device === 'bridge' && link.kind === 'bridge') bridges.set(link.index, mark.network);
    }
    const names = new Set<string>();
    for (const link of cache.links.values()) {
      names.add(link.name);
      const network = bridges.get(link.master);
      if (isOurs(link)) this.#seen.delete(link.name);
      else if (network === undefined) this.#left(link, bridges);
      else if (this.#unplugging.get(link.name)?.network !== network)
        this.#seen.set(link.name, { network, bridge: link.master });
    }
    const wanted = new Map<string, NetworkId>();
    for (const [link, { network, offSinceMs }] of this.#seen) {
      if (!names.has(link)) this.#seen.delete(link);
      else if (offSinceMs === undefined) wanted.set(link, network);
    }
    for (const [link, network] of [...this.#assigned, ...this.#plugged]) if (names.has(link)) wanted.set(link, network);
    const isPlugged = (link: string) => this.#plugged.has(link) || this.#assigned.has(link);
    return [...wanted].map(([link, network]) => ({ link, network, plugged: isPlugged(link) }));
  }

  #foreignBridgeOf(network: NetworkId): Pick<LeavingPort, 'foreignBridge'> {
    const foreignBridge = this.#foreignBridges.get(network);
    return foreignBridge === undefined ? {} : { foreignBridge };
  }

  /** Notes that an interface is on none of our bridges. */
  #left({ name, master }: Link, bridges: ReadonlyMap<number, NetworkId>): void {
    const seen = this.#seen.get(name);
    if (seen === undefined) return;
    const nowMs = this.#clock.nowMs();
    const { offSinceMs = nowMs, network, bridge } = seen;
    if (master !== 0 || nowMs - offSinceMs >= DELETION_MS) this.#seen.delete(name);
    else if (!bridges.has(bridge)) this.#seen.set(name, { network, bridge });
    else this.#seen.set(name, { network, bridge, offSinceMs });
  }
}

/** The interfaces that are ports of other programs' bridges, by name. */
export function portsOfOtherBridges({ links }: KernelTables): string[] {
  const ports: string[] = [];
  for (const { name, master } of links.values()) {
    const bridge = links.get(master);
    if (bridge?.kind === 'bridge' && !isOurs(bridge)) ports.push(name);
  }
  return ports.sort();
}

/**
 * One of the two marks is enough: another program may have removed the other one, which the loop is about to restore.
 */
function isOurs({ alias, group }: Link): boolean {
  return parseAlias(alias) !== undefined || group === OUR_LINK_GROUP;
}

/** Whether the link is a bridge of another program with this name. */
function isForeign(link: Link, name: string): boolean {
  return link.kind === 'bridge' && !isOurs(link) && link.name === name;
}

function isBridgeOf(network: NetworkId, link: Link): boolean {
  return link.kind === 'bridge' && isOurs(link) && (parseAlias(link.alias)?.network ?? network) === network;
}
