/**
 * Contributions: the shares that make up the nft tables of a node. A network gives some under its number, and the node gives
 * its own. The tables collect the shares, and know no network and no type.
 */
import type { RulesetItem } from '../../items/ruleset.ts';

/** What a network, or the node, adds to the tables. */
export interface RuleContribution extends Readonly<Partial<Record<RulesetItem['family'], TableShare>>> {
  /** The network's number; 0 for the node. Shares are collected in the order of the numbers. */
  readonly number: number;
  /** Tells the contributions of one network apart. */
  readonly what: string;
}

/** What one contribution adds to one table. */
export interface TableShare {
  readonly sets?: readonly SetShare[];
  /** Sets that packets fill. One that several contributions need is written once. */
  readonly filled?: readonly FilledSet[];
  readonly chains?: readonly ChainShare[];
  readonly limits?: readonly LimitShare[];
}

/** A rate that several rules share. */
export interface LimitShare {
  readonly name: string;
  /** What stands between its braces. */
  readonly declaration: string;
}

/** A set or verdict map, or elements for it. Shares of one name make one set, which has the elements of all. */
export interface SetShare {
  readonly name: string;
  /** `type ifname`; of a map, `type ifname : verdict`. */
  readonly declaration: string;
  readonly elements: readonly string[];
  /** `sized`: see `sized`. `late`: the elements come and go with members, as elements of parts. */
  readonly kind: 'sized' | 'late';
}

/** A set that packets fill. */
export interface FilledSet {
  readonly name: string;
  /** What stands between its braces. */
  readonly declaration: string;
  /** The set remembers what the rules have let through (`RulesetItem.remembering`). */
  readonly remembers?: boolean;
}

/**
 * A chain, or rules for it. Shares of one name make one chain: it has each rule once, and at its end one look-up of a verdict,
 * in the verdicts of all shares. A name with a space is that of a place in a chain of the table.
 */
export interface ChainShare {
  readonly name: string;
  readonly rules?: readonly string[];
  readonly verdicts?: Verdicts;
}

/** Verdicts by a key: one look-up finds that of a network among any number. */
export interface Verdicts {
  /** What is looked up. */
  readonly key: string;
  /** `456 : jump from-456` */
  readonly elements: readonly string[];
}

/** Compares contributions by the order in which the tables collect them. */
export function byNumber(a: RuleContribution, b: RuleContribution): number {
  return a.number - b.number || (a.what < b.what ? -1 : 1);
}
