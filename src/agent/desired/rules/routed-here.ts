/** A network that a node routes, as the rules see it. */
import { type Ip, isIpv6 } from '../../../kernel/ip.ts';
import type { HostInterface } from '../../../model/network/host-address.ts';
import type { BridgedNetwork } from '../bridged-network.ts';

/** The addresses of guests by the name of a port's owner, a reservation or a lease. A name without an address is waited for. */
export type GuestAddresses = ReadonlyMap<string, readonly Ip[]>;

/** A network that is routed on this node. */
export interface RoutedHere {
  readonly network: BridgedNetwork;
  /** This node's own addresses on the bridge. */
  readonly given: readonly HostInterface[];
  /** The UDP ports of the VXLANs of this node. */
  readonly vxlanPorts: readonly number[];
  /** The addresses of the guests that rules name. */
  readonly guests: GuestAddresses;
}

/** The addresses of one family among a node's own on a bridge. */
export function ofFamily(given: readonly HostInterface[], family: 'ip' | 'ip6'): Ip[] {
  return given.map(({ address }) => address).filter((address) => isIpv6(address) === (family === 'ip6'));
}
