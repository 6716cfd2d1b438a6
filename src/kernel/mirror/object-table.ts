/** Objects of one kind by key, and by the link that they are on. */

/** What an object of the table must have: most are on a link; some routes are on none. */
interface OnLink {
  readonly link?: number;
}

/** A map that finds the objects of a link without a look at all others: many links may be deleted at once. */
export class ObjectTable<T extends OnLink> {
  readonly #keyOf: (object: T) => string;
  readonly #all = new Map<string, T>();
  readonly #onLink = new Map<number, Set<string>>();
  /** All objects by key. */
  readonly all: ReadonlyMap<string, T> = this.#all;

  /** @param keyOf what identifies an object; it names the object's link */
  constructor(keyOf: (object: T) => string) {
    this.#keyOf = keyOf;
  }

  /** The objects on a link. */
  *on(link: number): Generator<T> {
    for (const key of this.#onLink.get(link) ?? []) {
      const object = this.#all.get(key);
      if (object !== undefined) yield object;
    }
  }

  /** Adds the object, or puts it in the place of the one with its key. @returns whether there was one */
  put(object: T): boolean {
    const key = this.#keyOf(object);
    const { link } = object;
    const existed = this.#all.has(key);
    this.#all.set(key, object);
    if (existed || link === undefined) return existed;
    const keys = this.#onLink.get(link);
    if (keys === undefined) this.#onLink.set(link, new Set([key]));
    else keys.add(key);
    return false;
  }

  /** Removes the object with the key of this one. @returns whether there was one */
  delete(object: T): boolean {
    const key = this.#keyOf(object);
    if (!this.#all.delete(key)) return false;
    const { link } = object;
    if (link === undefined) return true;
    const keys = this.#onLink.get(link);
    keys?.delete(key);
    if (keys?.size === 0) this.#onLink.delete(link);
    return true;
  }

  clear(): void {
    this.#all.clear();
    this.#onLink.clear();
  }
}
