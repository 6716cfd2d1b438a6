/**
 * Interfaces of others on our bridges. Two reasons to want one there: an administrator plugged it in with `mesh port
 * plug`, which is kept; or it was on the bridge when the bridge was deleted under it, and goes back when the bridge is
 * made anew. One that its owner took off a living bridge is forgotten.
 */
import type { Link } from '../../kernel/rtnl/objects.ts';
import type { Clock } from '../../model/clock.ts';
import type { NetworkId } from '../../model/network/network.ts';
import { OUR_LINK_GROUP, parseAlias } from '../items/mark.ts';
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

export class ForeignPorts {
  /** By interface name. */
  readonly #plugged: Map<string, NetworkId>;
  /** Seen on a bridge of ours, and which bridge (by index) that was. */
  readonly #seen = new Map<string, { network: NetworkId; bridge: number; offSinceMs?: number }>();
  readonly #clock: Clock;
  #revision = 0;

  constructor(plugged: readonly ForeignPort[], clock: Clock) {
    this.#clock = clock;
    this.#plugged = new Map(plugged.map(({ link, network }) => [link, network]));
  }

  get plugged(): readonly ForeignPort[] {
    return [...this.#plugged].map(([link, network]) => ({ link, network }));
  }

  /** Grows whenever a port is plugged or unplugged. */
  get revision(): number {
    return this.#revision;
  }

  plug(port: ForeignPort): void {
    this.#revision++;
    this.#plugged.set(port.link, port.network);
  }

  /** @returns whether it was plugged or seen */
  unplug(link: string): boolean {
    this.#revision++;
    const seen = this.#seen.delete(link);
    return this.#plugged.delete(link) || seen;
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
      else this.#seen.set(link.name, { network, bridge: link.master });
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
