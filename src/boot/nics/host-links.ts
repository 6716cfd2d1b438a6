/** The links, addresses and IPv6 routes of this host as they are now: read once, then kept up by the kernel's own reports. */
import type { Address, KernelEvent, Link, Route } from '../../kernel/rtnl/objects.ts';
import type { Alarm, Clock } from '../../model/clock.ts';
import { Signal, type Subscribable } from '../../model/signal.ts';

/** Reads everything at once; `Rtnl` does. */
export interface LinkReader {
  links(): Promise<Link[]>;
  addresses(): Promise<Address[]>;
  routes(): Promise<Route[]>;
}

export interface HostLinksInput {
  readonly reader: LinkReader;
  readonly clock: Clock;
  /** They could not be read anew, and may be out of date until the next try succeeds. */
  readonly onError: (error: unknown) => void;
}

/** Changes come in bursts: so long is waited before anybody is told. */
const COALESCE_MS = 20;
const REREAD_MS = 200;

export class HostLinks {
  readonly #input: HostLinksInput;
  readonly #changes = new Signal<void>();
  /** Emits when links or addresses have changed. Routes are only looked at when a network file is judged. */
  readonly changes: Subscribable<void> = this.#changes;
  readonly #links = new Map<number, Link>();
  readonly #indexOf = new Map<string, number>();
  readonly #addresses = new Map<string, Address>();
  readonly #routes = new Map<string, Route>();
  /** What came while everything was being read: it is newer, or repeats what was read. */
  #meanwhile: KernelEvent[] | undefined;
  #telling: Alarm | undefined;
  #rereading: Alarm | undefined;
  #closed = false;

  constructor(input: HostLinksInput) {
    this.#input = input;
  }

  get links(): Iterable<Link> {
    return this.#links.values();
  }

  get addresses(): Iterable<Address> {
    return this.#addresses.values();
  }

  /** IPv6, main table. */
  get routes(): Iterable<Route> {
    return this.#routes.values();
  }

  /** The index of the link of that name; a link that is made anew has another one. */
  indexOf(name: string): number | undefined {
    return this.#indexOf.get(name);
  }

  async read(): Promise<void> {
    this.#meanwhile = [];
    try {
      const { reader } = this.#input;
      const [links, addresses, routes] = await Promise.all([reader.links(), reader.addresses(), reader.routes()]);
      this.#links.clear();
      this.#indexOf.clear();
      this.#addresses.clear();
      this.#routes.clear();
      for (const link of links) this.#putLink(link);
      for (const address of addresses) this.#takeAddress(address, false);
      for (const route of routes) this.#takeRoute(route, false);
    } finally {
      const meanwhile = this.#meanwhile;
      this.#meanwhile = undefined;
      for (const event of meanwhile) this.take(event);
    }
  }

  take(event: KernelEvent): void {
    if (this.#closed) return;
    if (this.#meanwhile !== undefined) {
      this.#meanwhile.push(event);
      return;
    }
    if (event.type === 'overflow') this.#reread(0);
    else if (event.type === 'link') this.#takeLink(event.link, event.removed);
    else if (event.type === 'address') this.#takeAddress(event.address, event.removed);
    else if (event.type === 'route') this.#takeRoute(event.route, event.removed);
    if (event.type !== 'link' && event.type !== 'address') return;
    this.#telling ??= this.#input.clock.after(COALESCE_MS, () => {
      this.#telling = undefined;
      this.#changes.emit();
    });
  }

  close(): void {
    this.#closed = true;
    this.#telling?.cancel();
    this.#rereading?.cancel();
  }

  #takeLink(link: Link, removed: boolean): void {
    const before = this.#links.get(link.index);
    // It may have been renamed, and another may have its old name by now.
    if (before !== undefined && this.#indexOf.get(before.name) === link.index) this.#indexOf.delete(before.name);
    if (removed) this.#links.delete(link.index);
    else this.#putLink(link);
  }

  #putLink(link: Link): void {
    this.#links.set(link.index, link);
    this.#indexOf.set(link.name, link.index);
  }

  #takeAddress(address: Address, removed: boolean): void {
    const key = `${address.link} ${address.address}/${address.length}`;
    if (removed) this.#addresses.delete(key);
    else this.#addresses.set(key, address);
  }

  #takeRoute(route: Route, removed: boolean): void {
    if (route.family !== 6) return;
    const key = `${route.destination} ${route.link} ${route.gateway} ${route.metric}`;
    if (removed) this.#routes.delete(key);
    else this.#routes.set(key, route);
  }

  #reread(delayMs: number): void {
    this.#rereading?.cancel();
    this.#rereading = this.#input.clock.after(delayMs, () => {
      this.read().then(
        () => this.#changes.emit(),
        (error: unknown) => {
          this.#input.onError(error);
          this.#reread(REREAD_MS);
        },
      );
    });
  }
}
