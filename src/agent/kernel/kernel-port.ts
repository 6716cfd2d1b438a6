/** The agent's interface to a kernel: the real one (`SystemKernel`), or a simulated one in tests. */
import type { KernelReader } from '../../kernel/mirror/kernel-reader.ts';
import type { KernelEvent, Route } from '../../kernel/rtnl/objects.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { MeshError } from '../../model/error.ts';
import type { Subscribable } from '../../model/signal.ts';
import type { Operation } from '../items/item-kind.ts';

/**
 * Sends one ICMPv6 echo request to a mesh address.
 * @returns the round trip in ms; undefined when no answer came in time
 */
export type Echo = (to: Ipv6, timeoutMs: number, device?: string) => Promise<number | undefined>;

/**
 * Reads and changes one kernel. Failures of single operations are returned; failures of reads are thrown. A dump has at
 * least the routes of `isKeptRoute`: of the main table, and of the table for VXLAN packets.
 */
export interface KernelPort extends KernelReader {
  /** Changes in the kernel. A listener that subscribes before it reads a dump misses none. */
  readonly events: Subscribable<KernelEvent>;
  /**
   * Performs the operations in order, also after one has failed.
   * @returns for each operation, its error or undefined
   */
  apply(operations: readonly Operation[]): Promise<readonly (MeshError | undefined)[]>;
  /** The IPv4 routes of all programs. @param matters which of them to keep */
  ipv4Routes(matters: (route: Route) => boolean): Promise<readonly Route[]>;
  /** Emits at once the events that the kernel has already sent, so that operations just applied are in the cache. */
  drainEvents(): void;
  /**
   * The route that the kernel would take, with its source address.
   * @param udpPort for a UDP packet to this port: rules may be for it
   * @throws MESH_KERNEL_REFUSED when there is none
   */
  routeTo(destination: Ipv4, udpPort?: number): Promise<Route>;
  /** Our table's text as nft prints it; undefined when there is no table. */
  listRuleset(family: 'inet' | 'bridge'): Promise<string | undefined>;
  /** Every nft table of the machine, as nft prints them. Absent in a simulated kernel, which has no foreign tables. */
  ruleset?(): Promise<string>;
  /** A set of our bridge table in nft's text, with the counters of its elements; empty when there is none. */
  listBridgeSet(name: string): Promise<string>;
  /** The same of our inet table. */
  listInetSet(name: string): Promise<string>;
  /** The value of a file below /proc/sys; undefined when there is no such file. */
  readSysctl(path: readonly string[]): Promise<string | undefined>;
  close(): Promise<void>;
}
