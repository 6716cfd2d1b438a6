/** The interface of an item kind: how its items are identified, compared, ordered, printed and put into the kernel. */

import type { TableElements } from '../../kernel/nftables/element-batch.ts';
import type { KernelOperation } from '../../kernel/rtnl/operation.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { ProcessSpec } from '../../services/process/process-spec.ts';
import type { Rank } from './rank.ts';
import type { ServiceSpace } from './space/service-space.ts';

/** Identifies an item among all items of a node: `bridge:mesh-456`, `fdb:vxlan456 self 02:…`, `route:10.11.2.0/24`. */
export type ItemKey = string;

/**
 * One request to the kernel: to rtnetlink, /proc/sys, nftables or the reaper. `delete-deferred` is the reaper's: it
 * takes a link out of use at once and deletes it later.
 */
export type Operation =
  | KernelOperation
  /** `borrowed`: the value from before is kept on the disk first. */
  | { readonly do: 'sysctl'; readonly path: readonly string[]; readonly value: string; readonly borrowed?: true }
  /** Gives a borrowed setting its value from before, unless another program has changed it meanwhile. */
  | { readonly do: 'sysctl-return'; readonly path: readonly string[] }
  | NftOperation
  | { readonly do: 'delete-deferred'; readonly link: string }
  /** A tap comes from an ioctl, not from rtnetlink. It has its Ethernet address at once: an agent that is killed before it has set an alias finds its tap again. */
  | { readonly do: 'tap-make'; readonly link: string; readonly mac: Mac };

/** One order for the machine besides its kernel: about a process, a file or the space of services. */
export type ServiceOperation =
  | { readonly do: 'process-start' | 'process-reread'; readonly spec: ProcessSpec }
  | { readonly do: 'process-end'; readonly name: string }
  | { readonly do: 'file-write'; readonly path: string; readonly content: string; readonly mode: number }
  | { readonly do: 'file-remove'; readonly path: string }
  /** Makes a space, or puts right what there is of it. */
  | { readonly do: 'space-make'; readonly space: ServiceSpace }
  | { readonly do: 'space-remove'; readonly name: string };

/** One operation of a step. */
export type ItemOperation = Operation | ServiceOperation;

/** One transaction of nftables. */
export interface NftOperation {
  readonly do: 'nft';
  readonly script: string;
  /** The same as set elements, where the script changes nothing else: netlink takes these in half of the time or less. */
  readonly elements?: TableElements;
}

/**
 * All that the plan and its application know of one kind of item. The methods are pure: `create`, `change` and `remove`
 * return the operations (`O`), and do nothing themselves.
 */
export interface ItemKind<T, O = Operation> {
  key(item: T): ItemKey;
  /** Items that must exist before this one. When one of them is deleted, the kernel deletes this item too. */
  dependsOn(item: T): readonly ItemKey[];
  /** Items that must be in place before this one is made, and that may go before this one. */
  after?(item: T): readonly ItemKey[];
  rank(item: T): Rank;
  /** The rank of a change in place, where it differs from `rank`. */
  rankOfChange?(have: T, want: T): Rank;
  /** What differs, for people: `mtu 1400 → 1380`. Empty when the two are equal. */
  differences(have: T, want: T): readonly string[];
  /** Whether the difference cannot be changed in place. */
  mustRecreate(have: T, want: T): boolean;
  /** The one command that an administrator would type to create the item. */
  print(item: T): string;
  /** The command that would change the item, where it differs from `print`. */
  printChange?(have: T, want: T): string;
  /** The command that would remove the item, where it is short and administrators know it. */
  printRemove?(item: T): string;
  create(item: T): readonly O[];
  change(have: T, want: T): readonly O[];
  remove(item: T): readonly O[];
}
