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
  /** The events since the start of each reading that is under way. */
  readonly #readings = new Set<Announced>();
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
    const losing = losesRoutes(event, this.#tables);
    if (losing) this.#routesStale = true;
    if (event.type === 'overflow') this.#overflowed = true;
    const matters = this.#tables.take(event);
    for (const reading of this.#readings) {
      reading.losing ||= losing;
      // Learnt entries that are not kept may come in floods.
      if (matters || event.type !== 'fdb') reading.events.push(event);
    }
    return matters;
  }

  /** Replaces the tables by a fresh dump, with the events that came during the dump: they may be newer. */
  async renew(): Promise<void> {
    const { read, events, losing } = await this.#during(() => this.fresh(this.#keeps));
    for (const event of events) read.take(event);
    this.#tables = read;
    this.#overflowed = events.some(({ type }) => type === 'overflow');
    // The routes of the dump may be older than the removal, even where they were read again during the dump.
    if (losing) this.#routesStale = true;
  }

  /** Reads the routes again if they are stale. @throws the reader's error; the routes stay stale then */
  async renewRoutes(): Promise<void> {
    if (!this.#routesStale) return;
    this.#routesStale = false;
    try {
      const { read, events } = await this.#during(() => this.#reader.routes());
      this.#tables.replaceRoutes(read);
      for (const event of events) if (event.type === 'route') this.#tables.take(event);
    } catch (error) {
      this.#routesStale = true;
      throw error;
    }
  }

  /** Reads, and keeps the events that come meanwhile. */
  async #during<T>(read: () => Promise<T>): Promise<Announced & { readonly read: T }> {
    const announced: Announced = { events: [], losing: false };
    this.#readings.add(announced);
    try {
      return { read: await read(), ...announced };
    } finally {
      this.#readings.delete(announced);
    }
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

/** What the kernel has announced during a reading. */
interface Announced {
  readonly events: KernelEvent[];
  /** Whether routes went without an event of their own. */
  losing: boolean;
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
