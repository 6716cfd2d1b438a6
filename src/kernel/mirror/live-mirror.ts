/** A mirror that keeps itself up to date: it hears the kernel's events, and reads everything again when that is due. */
import type { Mac } from '../../model/address/mac.ts';
import type { Alarm, Clock } from '../../model/clock.ts';
import { Signal, type Subscribable } from '../../model/signal.ts';
import type { Ip } from '../ip.ts';
import type { Address, FdbEntry, KernelEvent, Link, Neighbour, Route } from '../rtnl/objects.ts';
import { AuditSchedule } from './audit-schedule.ts';
import { KernelMirror } from './kernel-mirror.ts';
import type { KernelReader } from './kernel-reader.ts';
import type { Keeps } from './kernel-tables.ts';

/** Questions about single entries; `Rtnl` puts them to the kernel. */
export interface EntryQuestions {
  /** The neighbour entry of `address` on `link`; undefined when there is none. */
  neighbour(link: string, address: Ip): Promise<Neighbour | undefined>;
  /** The entry of `mac` in the table of the link itself, or in the one of the bridge that the link is a port of. */
  fdbEntry(link: string, mac: Mac, table: FdbEntry['table']): Promise<FdbEntry | undefined>;
}

interface LiveMirrorInput {
  readonly reader: KernelReader;
  readonly questions: EntryQuestions;
  /** The monitor: its events, and how to hear at once those that the kernel has sent so far. */
  readonly monitor: { readonly events: Subscribable<KernelEvent>; drain(): void };
  readonly keepsRoute: Keeps['route'];
  readonly clock: Clock;
  /** Called when a dump has failed. The tables may be out of date until the next one succeeds. */
  readonly onError: (error: unknown) => void;
}

/** How long after a change `changes` emits: changes come in bursts. */
const COALESCE_MS = 20;
/** How long after routes went without an event they are read again: such changes come in bursts, too. */
const REREAD_MS = 50;
/** How long after a failed dump the next one is asked for. */
const RETRY_MS = 200;
/** Frames from made-up Ethernet addresses cannot fill the memory. More entries than host0 has members: 10 MB. */
const ENTRIES_MAX = 32_768;

/**
 * The mirror of a process that only reads its kernel. It answers questions about entries as the kernel would, without a
 * question to the kernel, which waits for a lock of the whole machine. When events were lost, or entries were left out,
 * it asks the kernel.
 */
export class LiveMirror implements EntryQuestions {
  readonly #input: LiveMirrorInput;
  readonly #mirror: KernelMirror;
  readonly #schedule: AuditSchedule;
  readonly #unsubscribe: () => void;
  readonly #changes = new Signal<void>();
  /** Emits when links, addresses or IPv4 routes have changed. Not for IPv6 routes: only checks of network files read them. */
  readonly changes: Subscribable<void> = this.#changes;
  #emitting: Alarm | undefined;
  #rereading: Alarm | undefined;
  #retry: Alarm | undefined;
  #closed = false;

  private constructor(input: LiveMirrorInput) {
    this.#input = input;
    this.#mirror = new KernelMirror(input.reader, {
      route: input.keepsRoute,
      learned: (_, held) => held < ENTRIES_MAX,
    });
    this.#schedule = new AuditSchedule({
      clock: input.clock,
      audit: () => this.#audit(),
      onError: (error) => {
        if (this.#closed) return;
        input.onError(error);
        this.#retry = input.clock.after(RETRY_MS, () => this.#schedule.soon());
      },
    });
    this.#unsubscribe = input.monitor.events.subscribe((event) => this.#take(event));
  }

  /** Reads the kernel's state, and follows it from then on. @throws the reader's error */
  static async open(input: LiveMirrorInput): Promise<LiveMirror> {
    const mirror = new LiveMirror(input);
    try {
      await mirror.#mirror.renew();
    } catch (error) {
      mirror.close();
      throw error;
    }
    mirror.#schedule.start();
    return mirror;
  }

  /** The kernel's events. When a listener gets one, the tables have taken it in. */
  get events(): Subscribable<KernelEvent> {
    return this.#input.monitor.events;
  }

  get links(): Iterable<Link> {
    return this.#mirror.tables.links.values();
  }

  get addresses(): Iterable<Address> {
    return this.#mirror.tables.addresses.values();
  }

  get routes(): Iterable<Route> {
    return this.#mirror.tables.routes.values();
  }

  /** The neighbour entries of both families. */
  get neighbours(): Iterable<Neighbour> {
    return this.#mirror.tables.neighbours.values();
  }

  /** The ifindex of the link with this name. A link that is deleted and made again has another ifindex. */
  indexOf(name: string): number | undefined {
    return this.#mirror.tables.linkNamed(name)?.index;
  }

  /** The name of the link with this ifindex. */
  nameOf(index: number): string | undefined {
    return this.#mirror.tables.links.get(index)?.name;
  }

  async neighbour(link: string, address: Ip): Promise<Neighbour | undefined> {
    if (!this.#isUpToDate()) return this.#input.questions.neighbour(link, address);
    const index = this.indexOf(link);
    return index === undefined ? undefined : this.#mirror.tables.neighbourOn(index, address);
  }

  async fdbEntry(link: string, mac: Mac, table: FdbEntry['table']): Promise<FdbEntry | undefined> {
    const known = this.#isUpToDate() ? this.#fdbEntry(link, mac, table) : undefined;
    if (known !== undefined || (this.#mirror.isCurrent && this.#mirror.tables.hasAllEntries)) return known;
    return this.#input.questions.fdbEntry(link, mac, table);
  }

  close(): void {
    this.#closed = true;
    this.#unsubscribe();
    this.#schedule.close();
    for (const alarm of [this.#emitting, this.#rereading, this.#retry]) alarm?.cancel();
  }

  /** Takes in what the kernel has announced so far: the packets of a request may have changed entries. */
  #isUpToDate(): boolean {
    this.#input.monitor.drain();
    return this.#mirror.isCurrent;
  }

  #fdbEntry(name: string, mac: Mac, table: FdbEntry['table']): FdbEntry | undefined {
    const { tables } = this.#mirror;
    const link = tables.linkNamed(name);
    if (link === undefined) return undefined;
    return table === 'self' ? tables.entryAt({ table, link: link.index, mac }) : tables.bridgeEntry(link.master, mac);
  }

  #take(event: KernelEvent): void {
    this.#mirror.take(event);
    if (event.type === 'overflow') this.#schedule.soon();
    this.#rereadIfStale();
    const isRoute = event.type === 'route' && event.route.family === 4;
    if (event.type === 'link' || event.type === 'address' || isRoute) this.#emitSoon();
  }

  async #audit(): Promise<void> {
    this.#input.monitor.drain();
    await this.#mirror.renew();
    if (this.#closed) return;
    this.#rereadIfStale();
    this.#changes.emit();
  }

  /** A planned reading shows a further change, too: a steady flow of changes must not put it off. */
  #rereadIfStale(): void {
    if (this.#mirror.routesAreStale) this.#rereading ??= this.#input.clock.after(REREAD_MS, () => void this.#reread());
  }

  async #reread(): Promise<void> {
    this.#rereading = undefined;
    try {
      await this.#mirror.renewRoutes();
      if (!this.#closed) this.#changes.emit();
    } catch (error) {
      if (this.#closed) return;
      this.#input.onError(error);
      this.#schedule.soon();
    }
  }

  #emitSoon(): void {
    this.#emitting ??= this.#input.clock.after(COALESCE_MS, () => {
      this.#emitting = undefined;
      this.#changes.emit();
    });
  }
}
