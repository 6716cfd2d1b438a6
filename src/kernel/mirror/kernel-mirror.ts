/** A process's copy of its kernel's state: tables that events keep up to date, and fresh dumps beside them. */
import type { KernelEvent } from '../rtnl/objects.ts';
import type { KernelReader } from './kernel-reader.ts';
import { isLearned, type Keeps, KernelTables } from './kernel-tables.ts';

/**
 * Owns the tables of one kernel. It does nothing on its own: the reconcile loop of an agent, or a `LiveMirror`, gives it
 * the events and says when to read everything again. A lost event delays a repair and nothing more, because a fresh dump
 * replaces the tables once a minute.
 */
export class KernelMirror {
  readonly #reader: KernelReader;
  readonly #keeps: Keeps;
  #tables: KernelTables;
  /** The events since the start of the dump that is under way. */
  #announced: KernelEvent[] | undefined;
  #routesStale = false;
  /** Events were lost since the start of the last dump, or nothing has been read yet. */
  #overflowed = true;

  constructor(reader: KernelReader, keeps: Keeps) {
    this.#reader = reader;
    this.#keeps = keeps;
    this.#tables = new KernelTables(keeps);
  }

  get tables(): KernelTables {
    return this.#tables;
  }

  /** Whether the tables have all that the kernel has announced so far. */
  get isCurrent(): boolean {
    return !this.#overflowed;
  }

  /** Whether the kernel has removed routes and announced no removal: `renewRoutes` reads them again. */
  get routesAreStale(): boolean {
    return this.#routesStale;
  }

  /** Applies an event. @returns as `KernelTables.take` */
  take(event: KernelEvent): boolean {
    if (losesRoutes(event, this.#tables)) this.#routesStale = true;
    if (event.type === 'overflow') this.#overflowed = true;
    const matters = this.#tables.take(event);
    // Learnt entries that are not kept may come in floods.
    if (matters || event.type !== 'fdb') this.#announced?.push(event);
    return matters;
  }

  /** Replaces the tables by a fresh dump, with the events that came during the dump: they may be newer. */
  async renew(): Promise<void> {
    const announced: KernelEvent[] = [];
    this.#announced = announced;
    try {
      const tables = await this.fresh(this.#keeps);
      for (const event of announced) tables.take(event);
      this.#tables = tables;
      this.#overflowed = announced.some(({ type }) => type === 'overflow');
    } finally {
      if (this.#announced === announced) this.#announced = undefined;
    }
  }

  /** Reads the routes again if they are stale. */
  async renewRoutes(): Promise<void> {
    if (!this.#routesStale) return;
    this.#routesStale = false;
    this.#tables.replaceRoutes(await this.#reader.routes());
  }

  /** A fresh dump beside the tables. @param keeps what it keeps */
  async fresh(keeps: Keeps): Promise<KernelTables> {
    let held = 0;
    const dump = await this.#reader.dump((entry) => {
      const isKept = !isLearned(entry) || keeps.learned(entry.mac, held);
      if (isKept) held++;
      return isKept;
    });
    return KernelTables.of(dump, keeps);
  }
}

/**
 * Whether the kernel has removed routes with this event, and announces no removal: with an IPv4 address, or with a link
 * that goes down (fib_flush).
 * @param tables as they were before the event
 */
export function losesRoutes(event: KernelEvent, tables: KernelTables): boolean {
  if (event.type === 'address') return event.removed && event.address.family === 4;
  return event.type === 'link' && !event.link.up && tables.links.get(event.link.index)?.up === true;
}
