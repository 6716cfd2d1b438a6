/** What the agent needs of a kernel. The kernel room is one; a simulated kernel can be another. */
import type { Address, FdbEntry, KernelEvent, Link, Neighbour, Route } from '../../kernel/rtnl/objects.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { MeshError } from '../../model/error.ts';
import type { Subscribable } from '../../model/signal.ts';
import type { Operation } from '../items/item-kind.ts';

export interface KernelDump {
  readonly links: readonly Link[];
  readonly addresses: readonly Address[];
  readonly routes: readonly Route[];
  readonly neighbours: readonly Neighbour[];
  readonly fdb: readonly FdbEntry[];
}

/** A round trip to a mesh address; undefined when no answer came in time. */
export type Echo = (to: Ipv6, timeoutMs: number) => Promise<number | undefined>;

export interface KernelPort {
  /** What changes in the kernel. Who subscribes before it reads misses nothing. */
  readonly events: Subscribable<KernelEvent>;
  /** Does the operations in order; one that fails does not keep the others from being done. */
  apply(operations: readonly Operation[]): Promise<readonly (MeshError | undefined)[]>;
  dump(): Promise<KernelDump>;
  /** The routes alone. */
  routes(): Promise<readonly Route[]>;
  /** Hands over events that the kernel has sent already, so that what was just applied is in the cache. */
  drainEvents(): void;
  routeTo(destination: Ipv4): Promise<Route>;
  /** Our table's text as nft prints it; undefined when there is none. */
  listRuleset(family: 'inet' | 'bridge'): Promise<string | undefined>;
  readSysctl(path: readonly string[]): Promise<string | undefined>;
  close(): Promise<void>;
}
