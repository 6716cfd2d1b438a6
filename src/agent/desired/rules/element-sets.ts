/** The elements that parts add to the sets of our nft tables. Several parts may add the same element. */
import type { SetElement } from '../part.ts';

interface CountedSet {
  /** Never changed once it was given out. */
  elements: Set<string>;
  given: boolean;
  /** Elements that several parts have added, with their number. */
  readonly shared: Map<string, number>;
}

const NO_ELEMENTS: ReadonlySet<string> = new Set();

/** All sets by name. A change costs a copy of one set, and nothing for the parts that stay. */
export class ElementSets {
  readonly #sets = new Map<string, CountedSet>();
  #revision = 0;

  /** The present elements of a set: the same object until the next change. */
  elementsOf(name: string): ReadonlySet<string> {
    const set = this.#sets.get(name);
    if (set === undefined) return NO_ELEMENTS;
    set.given = true;
    return set.elements;
  }

  /** Grows with each change. */
  get revision(): number {
    return this.#revision;
  }

  add({ set: name, element }: SetElement): void {
    const set = this.#sets.get(name) ?? { elements: new Set(), given: false, shared: new Map() };
    this.#sets.set(name, set);
    if (set.elements.has(element)) {
      set.shared.set(element, (set.shared.get(element) ?? 1) + 1);
    } else {
      this.#writable(set).add(element);
    }
  }

  remove({ set: name, element }: SetElement): void {
    const set = this.#sets.get(name);
    if (set === undefined) return;
    const count = set.shared.get(element);
    if (count === undefined) {
      this.#writable(set).delete(element);
      if (set.elements.size === 0) this.#sets.delete(name);
    } else if (count > 2) {
      set.shared.set(element, count - 1);
    } else {
      set.shared.delete(element);
    }
  }

  #writable(set: CountedSet): Set<string> {
    this.#revision++;
    if (set.given) set.elements = new Set(set.elements);
    set.given = false;
    return set.elements;
  }
}
