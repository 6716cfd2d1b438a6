/** The Ethernet addresses whose learnt FDB entries an agent keeps: those of the desired FDB entries. */
import type { Keeps } from '../../kernel/mirror/kernel-tables.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { Item, ItemMap } from '../items/item.ts';
import { isKeptRoute } from '../kernel/kept-routes.ts';
import type { Changed } from './delta.ts';

const NONE: ReadonlySet<Mac> = new Set();

/** Counts the desired FDB entries of each address. */
export class FollowedAddresses {
  readonly #counts = new Map<Mac, number>();

  /**
   * Follows the addresses of the desired entries.
   * @param changed the items of `desired` that have changed since the last call, as they were before
   */
  follow(desired: ItemMap, changed: Changed): void {
    for (const [key, before] of changed) {
      this.#count(desired.get(key), 1);
      this.#count(before, -1);
    }
  }

  /** What tables of an agent's kernel keep. @param also further addresses whose learnt entries are kept */
  keeps(also = NONE): Keeps {
    return { route: isKeptRoute, learned: (mac) => also.has(mac) || this.#counts.has(mac) };
  }

  #count(item: Item | undefined, by: number): void {
    if (item?.kind !== 'fdb') return;
    const now = (this.#counts.get(item.mac) ?? 0) + by;
    if (now === 0) this.#counts.delete(item.mac);
    else this.#counts.set(item.mac, now);
  }
}
