/**
 * Interfaces of others on our bridges. Two reasons to want one there: an administrator plugged it in with `mesh port
 * plug`, which is kept; or it was on the bridge when the bridge was deleted under it, and goes back when the bridge is
 * made anew. One that its owner took off a living bridge is forgotten.
 */
import type { NetworkId } from '../model/network.ts';
import { parseAlias } from './items/mark.ts';
import type { KernelCache } from './kernel-cache.ts';

export interface ForeignPort {
  readonly link: string;
  readonly network: NetworkId;
}

export class ForeignPorts {
  /** By interface name. */
  readonly #plugged: Map<string, NetworkId>;
  /** Seen on a bridge of ours, and which bridge (by index) that was. */
  readonly #seen = new Map<string, { network: NetworkId; bridge: number }>();

  constructor(plugged: readonly ForeignPort[]) {
    this.#plugged = new Map(plugged.map(({ link, network }) => [link, network]));
  }

  get plugged(): readonly ForeignPort[] {
    return [...this.#plugged].map(([link, network]) => ({ link, network }));
  }

  plug(port: ForeignPort): void {
    this.#plugged.set(port.link, port.network);
  }

  /** @returns whether it was plugged or seen */
  unplug(link: string): boolean {
    const seen = this.#seen.delete(link);
    return this.#plugged.delete(link) || seen;
  }

  /** Takes in what is on the bridges now. @returns every port that should be on one of ours, if it exists */
  wanted(cache: KernelCache): ForeignPort[] {
    const bridges = new Map<number, NetworkId>();
    for (const link of cache.links.values()) {
      const mark = parseAlias(link.alias);
      if (mark?.device === 'bridge' && link.kind === 'bridge') bridges.set(link.index, mark.network);
    }
    const names = new Set<string>();
    for (const link of cache.links.values()) {
      names.add(link.name);
      const network = bridges.get(link.master);
      if (network !== undefined && parseAlias(link.alias) === undefined)
        this.#seen.set(link.name, { network, bridge: link.master });
      // Off a bridge that is still there: its owner took it off, or put it elsewhere.
      else if (bridges.has(this.#seen.get(link.name)?.bridge ?? 0) || link.master !== 0) this.#seen.delete(link.name);
    }
    for (const name of this.#seen.keys()) if (!names.has(name)) this.#seen.delete(name);
    const wanted = new Map([...this.#seen].map(([link, { network }]) => [link, network]));
    for (const [link, network] of this.#plugged) if (names.has(link)) wanted.set(link, network);
    return [...wanted].map(([link, network]) => ({ link, network }));
  }
}
