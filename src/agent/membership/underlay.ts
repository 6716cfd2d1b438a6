/** A node's state on the underlay: which of host0's addresses it uses, and which address it sends from. */
import { isDeepStrictEqual } from 'node:util';
import { type Ipv4, type Ipv4Cidr, ipv4InSubnet, ipv4Subnet, isIpv4 } from '../../model/address/ipv4.ts';
import { OUR_PROTOCOL } from '../items/mark.ts';
import type { KernelCache } from '../kernel/kernel-cache.ts';
import type { KernelPort } from '../kernel/kernel-port.ts';

/** How the underlay looks from this node, read from the kernel. */
export interface UnderlayState {
  /** The host0 address that is in one of the node's own subnets, else the first that is configured. */
  readonly host0: Ipv4;
  /** The address that the node sends to host0 from; absent while there is no route to host0. */
  readonly local?: Ipv4;
  /** Whether host0 is reached without a gateway. */
  readonly onLink: boolean;
  /**
   * Subnets that the node reaches without Meshwork's routes: its own subnets, and those with a route from another
   * program.
   */
  readonly reachable: readonly Ipv4Cidr[];
}

/**
 * Reads the underlay state from the cache, and asks the kernel for the route to host0.
 * @param candidates host0's underlay addresses in order of preference
 * @throws TypeError when there is no candidate
 */
export async function lookAtUnderlay(
  candidates: readonly Ipv4[],
  cache: KernelCache,
  kernel: KernelPort,
): Promise<UnderlayState> {
  const own = ownSubnets(cache);
  const host0 = candidates.find((address) => own.some((subnet) => ipv4InSubnet(address, subnet))) ?? candidates[0];
  if (host0 === undefined) throw new TypeError('a node needs an address of host0');
  const reachable = [...own, ...foreignRoutes(cache)];
  try {
    const route = await kernel.routeTo(host0);
    const local = route.source !== undefined && isIpv4(route.source) ? route.source : undefined;
    return { host0, onLink: route.gateway === undefined, reachable, ...(local !== undefined && { local }) };
  } catch {
    // There is no route now. A kernel event announces it when there is one.
    return { host0, onLink: false, reachable };
  }
}

function ownSubnets(cache: KernelCache): Ipv4Cidr[] {
  return [...cache.addresses.values()]
    .filter(({ family, scope }) => family === 4 && scope === 'global')
    .map(({ address, length }) => ipv4Subnet(address as Ipv4, length));
}

function foreignRoutes(cache: KernelCache): Ipv4Cidr[] {
  return [...cache.routes.values()]
    .filter(
      ({ family, protocol, destination }) => family === 4 && protocol !== OUR_PROTOCOL && destination !== '0.0.0.0/0',
    )
    .map(({ destination }) => destination as Ipv4Cidr);
}

/** Whether the state is unchanged, so that no pass is needed. False when there was none before. */
export function sameUnderlay(a: UnderlayState | undefined, b: UnderlayState): boolean {
  return isDeepStrictEqual(a, b);
}
