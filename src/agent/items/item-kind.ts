/** What every kind of item says of its items: how they are told apart, compared, ordered, printed and made. */
import type { KernelOperation } from '../../kernel/rtnl/operation.ts';

/** Unique among the items of a node: `bridge:mesh-456`, `fdb:vxlan456 self 02:… 10.11.0.2`. */
export type ItemKey = string;

/** What one step asks for: of rtnetlink, of /proc/sys, of nftables, or of the reaper (links are not deleted in line). */
export type Operation =
  | KernelOperation
  | { readonly do: 'sysctl'; readonly path: readonly string[]; readonly value: string }
  | { readonly do: 'nft'; readonly script: string }
  | { readonly do: 'delete-deferred'; readonly link: string };

export interface ItemKind<T> {
  key(item: T): ItemKey;
  /** Items that must be there before this one, and that take it with them when they go. */
  dependsOn(item: T): readonly ItemKey[];
  /** Lower ranks are made first and removed last. */
  rank(item: T): number;
  /** The rank of a change in place, where that is another. */
  rankOfChange?(have: T, want: T): number;
  /** What differs, for people: `mtu 1400 → 1380`. Empty when the two are equal. */
  differences(have: T, want: T): readonly string[];
  /** Whether the difference cannot be changed in place. */
  mustRecreate(have: T, want: T): boolean;
  /** The one command that an administrator would type to make it. */
  print(item: T): string;
  /** The one that would change it, where that is another. */
  printChange?(have: T, want: T): string;
  /** The one that would remove it, where that is short and known to administrators. */
  printRemove?(item: T): string;
  create(item: T): readonly Operation[];
  change(have: T, want: T): readonly Operation[];
  remove(item: T): readonly Operation[];
}
