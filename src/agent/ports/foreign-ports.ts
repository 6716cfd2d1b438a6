/**
 * Interfaces of others on our bridges. Two reasons to want one there: an administrator plugged it in with `mesh port
 * plug`, which is kept; or it was on the bridge when the bridge was deleted under it, and goes back when the bridge is
 * made anew. One that its owner took off a living bridge is forgotten.
 *
 * The kernel keeps no mark of ours on such an interface. So a port that `mesh port unplug` is to take off is kept as well,
 * until the kernel shows the port off its bridge: the record is the mark by which a plan may remove it.
 */
import type { Link } from '../../kernel/rtnl/objects.ts';
import type { Clock } from '../../model/clock.ts';
import type { NetworkId } from '../../model/network/network.ts';
import { OUR_LINK_GROUP, parseAlias } from '../items/mark.ts';
import type { PortItem } from '../items/port.ts';
import type { KernelCache } from '../kernel/kernel-cache.ts';

/**
 * While the kernel deletes a bridge it first takes the ports off, up to 60 ms before it says that the bridge is gone. A
 * port that left counts as taken off by its owner only when its bridge is still there so much later.
 */
const DELETION_MS = 1_000;

export interface ForeignPort {
  readonly link: string;
  readonly network: NetworkId;
}

/** A port that should be on a bridge of ours, and whether for the first of the two reasons. */
export interface WantedPort extends ForeignPort {
  readonly plugged: boolean;
}

/** The ports that an agent must know again after a restart. */
export interface PortRecord {
  readonly plugged: readonly ForeignPort[];
  /** Ports that are to be taken off the bridge of their network. */
  readonly unplugging: readonly ForeignPort[];
}

export class ForeignPorts {
  /** By interface name. */
  readonly #plugged: Map<string, NetworkId>;
  /** Ports that are being taken off, by interface name. */
  readonly #unplugging: Map<string, WantedPort>;
  /** Seen on a bridge of ours, and which bridge (by index) that was. */
  readonly #seen = new Map<string, { network: NetworkId; bridge: number; offSinceMs?: number }>();
  readonly #clock: Clock;
  #revision = 0;

  constructor({ plugged, unplugging }: PortRecord, clock: Clock) {
    this.#clock = clock;
    this.#plugged = new Map(plugged.map(({ link, network }) => [link, network]));
    this.#unplugging = new Map(unplugging.map((port) => [port.link, { ...port, plugged: true }]));
  }

  get record(): PortRecord {
    return {
      plugged: [...this.#plugged].map(([link, network]) => ({ link, network })),
      unplugging: [...this.#unplugging.values()].map(({ link, network }) => ({ link, network })),
    };
  }

  /** Grows whenever the record is another than before. */
  get revision(): number {
    return this.#revision;
  }

  plug(port: ForeignPort): void {
    this.#revision++;
    this.#unplugging.delete(port.link);
    this.#plugged.set(port.link, port.network);
  }

  /** @returns whether it was plugged or seen, or is being taken off already */
  unplug(link: string): boolean {
    const network = this.#plugged.get(link) ?? this.#seen.get(link)?.network;
    if (network === undefined) return this.#unplugging.has(link);
    this.#revision++;
    this.#unplugging.set(link, { link, network, plugged: this.#plugged.has(link) });
    this.#plugged.delete(link);
    this.#seen.delete(link);
    return true;
  }

  /** The network that a port is being taken out of; undefined when it is not, or is out already. */
  unpluggedFrom(link: string): NetworkId | undefined {
    return this.#unplugging.get(link)?.network;
  }

  /** Ports that are being taken off and are still on the bridge of their network: as items, to be removed. */
  toTakeOff(cache: KernelCache): PortItem[] {
    return [...this.#unplugging.values()].flatMap(({ link, network }) => {
      const bridge = cache.links.get(cache.linkNamed(link)?.master ?? 0);
      if (bridge === undefined || !isBridgeOf(network, bridge)) return [];
      return [{ kind: 'port', network, link, bridge: bridge.name }];
    });
  }

  /**
   * Takes in a look at the kernel, and forgets the ports that have been taken off. One that an administrator has moved to
   * another bridge is off, too.
   * @param cache a whole one: an interface that it lacks is not there
   * @returns every port that rules are needed for: those that should be on a bridge, and those that are being taken off
   */
  takeIn(cache: KernelCache): (WantedPort & { readonly unplugging: boolean })[] {
    const left = new Set(this.toTakeOff(cache).map(({ link }) => link));
    for (const link of this.#unplugging.keys()) {
      if (!left.has(link) && this.#unplugging.delete(link)) this.#revision++;
    }
    return [
      ...this.wanted(cache).map((port) => ({ ...port, unplugging: false })),
      ...[...this.#unplugging.values()].map((port) => ({ ...port, unplugging: true })),
    ];
  }

  /** Takes in what is on the bridges now. @returns every port that should be on one of ours, if it exists */
  wanted(cache: KernelCache): WantedPort[] {
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
    for (const [link, network] of this.#plugged) if (names.has(link)) wanted.set(link, network);
    return [...wanted].map(([link, network]) => ({ link, network, plugged: this.#plugged.has(link) }));
  }

  /** Notes that a port is on no bridge of ours (any more). */
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

/** One of the two marks may be gone for a moment: an outsider took it, and it is about to be put back. */
function isOurs({ alias, group }: Link): boolean {
  return parseAlias(alias) !== undefined || group === OUR_LINK_GROUP;
}

function isBridgeOf(network: NetworkId, link: Link): boolean {
  return link.kind === 'bridge' && isOurs(link) && (parseAlias(link.alias)?.network ?? network) === network;
}
