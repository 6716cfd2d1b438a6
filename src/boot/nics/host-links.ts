/** The present links, addresses and routes of this host: dumped once, then kept up to date by kernel events. */
import { addressKey, routeKey } from '../../kernel/rtnl/object-keys.ts';
import type { Address, KernelEvent, Link, Route } from '../../kernel/rtnl/objects.ts';
import type { Alarm, Clock } from '../../model/clock.ts';
import { Signal, type Subscribable } from '../../model/signal.ts';

/** Dumps the kernel's tables; `Rtnl` does. */
interface LinkReader {
  links(): Promise<Link[]>;
  addresses(): Promise<Address[]>;
  routes(): Promise<Route[]>;
}

interface HostLinksInput {
  readonly reader: LinkReader;
  readonly clock: Clock;
  /** Called when the dump after an event overflow has failed. The data may be out of date until a retry succeeds. */
  readonly onError: (error: unknown) => void;
}

/** How long after a change `changes` emits: changes come in bursts. */
const COALESCE_MS = 20;
/** How long after a change that is not announced everything is read again: such changes come in bursts, too. */
const REREAD_MS = 50;
/** How long after a failed dump the next one is tried. */
const RETRY_MS = 200;

/** A mirror of the kernel's links, addresses and routes of the main table. Feed it with `read` once, and with `take` for each kernel event. */
export class HostLinks {
  readonly #input: HostLinksInput;
  readonly #changes = new Signal<void>();
  /** Emits when links, addresses or IPv4 routes have changed. Not for IPv6 routes: only checks of network files read them. */
  readonly changes: Subscribable<void> = this.#changes;
  readonly #links = new Map<number, Link>();
  readonly #indexOf = new Map<string, number>();
  readonly #addresses = new Map<string, Address>();
  readonly #routes = new Map<string, Route>();
  /** Events that arrived during a dump. They are applied after it, since they are newer than the dump, or repeat it. */
  #meanwhile: KernelEvent[] | undefined;
  #emitting: Alarm | undefined;
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

  /** The routes of the main table. */
  get routes(): Iterable<Route> {
    return this.#routes.values();
  }

  /** The ifindex of the link with this name. A link that is deleted and created again has another ifindex. */
  indexOf(name: string): number | undefined {
    return this.#indexOf.get(name);
  }

  /** The name of the link with this ifindex. */
  nameOf(index: number): string | undefined {
    return this.#links.get(index)?.name;
  }

  /** Replaces everything by a dump. @throws the reader's error, with what was known before left in place */
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

  /** Applies a kernel event. After an `overflow`, when the kernel has dropped events, everything is dumped again. */
  take(event: KernelEvent): void {
    if (this.#closed) return;
    if (this.#meanwhile !== undefined) {
      this.#meanwhile.push(event);
      return;
    }
    if (event.type === 'overflow') this.#reread(REREAD_MS);
    else if (event.type === 'link') this.#takeLink(event.link, event.removed);
    else if (event.type === 'address') this.#takeAddress(event.address, event.removed);
    else if (event.type === 'route') this.#takeRoute(event.route, event.removed);
    // With an address or a link that goes down, the kernel removes IPv4 routes without an event.
    if (event.type === 'address' && event.removed && event.address.family === 4) this.#reread(REREAD_MS);
    if (event.type === 'link' && !event.link.up && this.#hasRoute(event.link.index)) this.#reread(REREAD_MS);
    const isRoute = event.type === 'route' && event.route.family === 4;
    if (event.type !== 'link' && event.type !== 'address' && !isRoute) return;
    this.#emitting ??= this.#input.clock.after(COALESCE_MS, () => {
      this.#emitting = undefined;
      this.#changes.emit();
    });
  }

  close(): void {
    this.#closed = true;
    this.#emitting?.cancel();
    this.#rereading?.cancel();
  }

  #takeLink(link: Link, removed: boolean): void {
    const before = this.#links.get(link.index);
    // The link may have been renamed, and another link may have its old name already.
    if (before !== undefined && this.#indexOf.get(before.name) === link.index) this.#indexOf.delete(before.name);
    if (removed) this.#links.delete(link.index);
    else this.#putLink(link);
  }

  #putLink(link: Link): void {
    this.#links.set(link.index, link);
    this.#indexOf.set(link.name, link.index);
  }

  #takeAddress(address: Address, removed: boolean): void {
    if (removed) this.#addresses.delete(addressKey(address));
    else this.#addresses.set(addressKey(address), address);
  }

  #takeRoute(route: Route, removed: boolean): void {
    if (removed) this.#routes.delete(routeKey(route));
    else this.#routes.set(routeKey(route), route);
  }

  #hasRoute(link: number): boolean {
    return [...this.#routes.values()].some((route) => route.family === 4 && route.link === link);
  }

  #reread(delayMs: number): void {
    // A planned reading shows this change, too: a steady flow of changes must not put it off.
    if (this.#rereading !== undefined) return;
    this.#rereading = this.#input.clock.after(delayMs, () => {
      this.#rereading = undefined;
      this.read().then(
        () => this.#changes.emit(),
        (error: unknown) => {
          this.#input.onError(error);
          this.#reread(RETRY_MS);
        },
      );
    });
  }
}
