/** Parts: the shares that make up the desired items of a node. A new type, service or rule is a new part. */
import type { Item } from '../items/item.ts';
import type { RuleContribution } from './rules/contribution.ts';

/** One share of the desired items. A part is built again when one of its inputs is another value than before. */
export interface Part {
  /** Identifies the part among the parts beside it. */
  readonly key: string;
  /** All that the content depends on. Inputs are compared by identity, one by one: unchanged objects stay the same. */
  readonly inputs: readonly unknown[];
  readonly build: () => Content;
}

/** What a part gives. */
export interface Content {
  readonly items?: Iterable<Item>;
  readonly elements?: readonly SetElement[];
  readonly rules?: readonly RuleContribution[];
  /** Smaller parts. They are looked at only when an input of this part differs. */
  readonly parts?: Iterable<Part>;
}

/** An element that a part adds to a set of our nft tables. A set that no table has takes no effect. */
export interface SetElement {
  /** Name of the set. */
  readonly set: string;
  /** The element in nft's own spelling. */
  readonly element: string;
}
