/** The links and addresses of this host as they are now: read once, then kept up by the kernel's own reports. */
import type { Address, KernelEvent, Link } from '../kernel/objects.ts';
import type { Alarm, Clock } from '../model/clock.ts';

/** Reads everything at once; `Rtnl` does. */
export interface LinkReader {
  links(): Promise<Link[]>;
  addresses(): Promise<Address[]>;
}

/** Changes come in bursts: so long is waited before anybody is told. */
const COALESCE_MS = 20;
const REREAD_MS = 200;

export class HostLinks {
  readonly #reader: LinkReader;
  readonly #clock: Clock;
  readonly #changed: () => void;
  readonly #links = new Map<number, Link>();
  readonly #indexOf = new Map<string, number>();
  readonly #addresses = new Map<string, Address>();
  /** What came while everything was being read: it is newer, or repeats what was read. */
  #meanwhile: KernelEvent[] | undefined;
  #telling: Alarm | undefined;
  #rereading: Alarm | undefined;
  #closed = false;

  constructor(reader: LinkReader, clock: Clock, changed: () => void) {
    this.#reader = reader;
    this.#clock = clock;
    this.#changed = changed;
  }

  get links(): Iterable<Link> {
    return this.#links.values();
  }

  get addresses(): Iterable<Address> {
    return this.#addresses.values();
  }

  /** The index of the link of that name; a link that is made anew has another one. */
  indexOf(name: string): number | undefined {
    return this.#indexOf.get(name);
  }

  async read(): Promise<void> {
    this.#meanwhile = [];
    try {
      const [links, addresses] = await Promise.all([this.#reader.links(), this.#reader.addresses()]);
      this.#links.clear();
      this.#indexOf.clear();
      this.#addresses.clear();
      for (const link of links) this.#putLink(link);
      for (const address of addresses) this.#addresses.set(keyOf(address), address);
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
    else return;
    this.#telling ??= this.#clock.after(COALESCE_MS, () => {
      this.#telling = undefined;
      this.#changed();
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
    if (removed) this.#addresses.delete(keyOf(address));
    else this.#addresses.set(keyOf(address), address);
  }

  #reread(delayMs: number): void {
    this.#rereading?.cancel();
    this.#rereading = this.#clock.after(delayMs, () => {
      this.read().then(
        () => this.#changed(),
        // Everything may be out of date until this succeeds.
        () => this.#reread(REREAD_MS),
      );
    });
  }
}

function keyOf({ link, address, length }: Address): string {
  return `${link} ${address}/${length}`;
}
