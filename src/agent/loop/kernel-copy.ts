/**
 * The agent's copy of the kernel: a cache that events keep up to date, and fresh dumps beside it. A copy follows the
 * Ethernet addresses of the desired FDB entries; learnt entries of other addresses are counted only.
 */
import type { KernelEvent } from '../../kernel/rtnl/objects.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { Item, ItemMap } from '../items/item.ts';
import { isLearned, KernelCache } from '../kernel/kernel-cache.ts';
import type { KernelPort } from '../kernel/kernel-port.ts';
import type { Changed } from './delta.ts';

/** Owns the cache of one kernel. */
export class KernelCopy {
  readonly #kernel: Pick<KernelPort, 'dump'>;
  /** The number of desired FDB entries of each Ethernet address. */
  readonly #followed = new Map<Mac, number>();
  readonly #isFollowed = (mac: Mac): boolean => this.#followed.has(mac);
  #cache = new KernelCache(this.#isFollowed);
  /** The events since the start of the dump that is under way. */
  #announced: KernelEvent[] | undefined;

  constructor(kernel: Pick<KernelPort, 'dump'>) {
    this.#kernel = kernel;
  }

  get cache(): KernelCache {
    return this.#cache;
  }

  /** Applies an event. @returns false when the event is about nothing that the agent follows */
  take(event: KernelEvent): boolean {
    const matters = this.#cache.take(event);
    if (matters) this.#announced?.push(event);
    return matters;
  }

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

  /** Replaces the cache by a fresh dump, with the events that came during the dump: they may be newer. */
  async renew(): Promise<void> {
    const announced: KernelEvent[] = [];
    this.#announced = announced;
    try {
      const cache = await this.#read(this.#isFollowed);
      for (const event of announced) cache.take(event);
      this.#cache = cache;
    } finally {
      if (this.#announced === announced) this.#announced = undefined;
    }
  }

  /** A fresh dump beside the cache. @param also further Ethernet addresses whose learnt entries are kept */
  fresh(also: ReadonlySet<Mac>): Promise<KernelCache> {
    return this.#read((mac) => also.has(mac) || this.#isFollowed(mac));
  }

  async #read(isFollowed: (mac: Mac) => boolean): Promise<KernelCache> {
    const dump = await this.#kernel.dump((entry) => !isLearned(entry) || isFollowed(entry.mac));
    return KernelCache.of(dump, isFollowed);
  }

  #count(item: Item | undefined, by: number): void {
    if (item?.kind !== 'fdb') return;
    const now = (this.#followed.get(item.mac) ?? 0) + by;
    if (now === 0) this.#followed.delete(item.mac);
    else this.#followed.set(item.mac, now);
  }
}
