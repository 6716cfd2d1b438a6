/** ICMPv6 echoes that are sent from one host of a lab. */
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { HostPlan } from './topology.ts';

/** Sends echoes from one host. The EchoSocket of `kernel/` is one implementation. */
export interface HostEcho {
  /**
   * Sends one echo and waits for its answer.
   *
   * @returns the round trip in milliseconds, or undefined if no answer came within `timeoutMs`
   * @throws MESH_KERNEL_REFUSED if the kernel has no route
   */
  echo(to: Ipv6, options: { readonly timeoutMs: number }): Promise<number | undefined>;
  close(): void;
}

/** Opens the sender of a host. The caller closes it. */
export type OpenHostEcho = (host: HostPlan) => HostEcho;
