/** Links by ifindex, by name and by master. */
import type { Link } from '../rtnl/objects.ts';

const NONE: ReadonlySet<number> = new Set();

/** The links of one namespace. */
export class LinkTable {
  readonly #links = new Map<number, Link>();
  readonly #byName = new Map<string, number>();
  readonly #ports = new Map<number, Set<number>>();
  /** By ifindex. */
  readonly all: ReadonlyMap<number, Link> = this.#links;

  /** The link with this name. A link that is deleted and made again has another ifindex. */
  named(name: string): Link | undefined {
    return this.#links.get(this.#byName.get(name) ?? 0);
  }

  /** The ifindexes of the links whose master has this ifindex. */
  portsOf(master: number): ReadonlySet<number> {
    return this.#ports.get(master) ?? NONE;
  }

  put(link: Link): void {
    this.delete(link.index);
    this.#links.set(link.index, link);
    this.#byName.set(link.name, link.index);
    if (link.master === 0) return;
    const ports = this.#ports.get(link.master) ?? new Set();
    this.#ports.set(link.master, ports.add(link.index));
  }

  delete(index: number): void {
    const link = this.#links.get(index);
    if (link === undefined) return;
    this.#links.delete(index);
    // The link may have been renamed, and another link may have its old name already.
    if (this.#byName.get(link.name) === index) this.#byName.delete(link.name);
    const ports = this.#ports.get(link.master);
    ports?.delete(index);
    if (ports?.size === 0) this.#ports.delete(link.master);
  }
}
