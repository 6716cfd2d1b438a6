/** A network that a node routes, as the rules see it. */
import type { Ip } from '../../../../kernel/ip.ts';
import type { Ipv4 } from '../../../../model/address/ipv4.ts';
import type { BridgedNetwork } from '../../bridged-network.ts';

/** The addresses of guests by the name of a port's owner, a reservation or a lease. A name without an address is waited for. */
export type GuestAddresses = ReadonlyMap<string, readonly Ip[]>;

/** A network that is routed on this node. */
export interface RoutedHere {
  readonly network: BridgedNetwork;
  /** The UDP ports of the VXLANs of this node. */
  readonly vxlanPorts: readonly number[];
  /** The underlay addresses of host0; none on host0 itself. */
  readonly host0s: readonly Ipv4[];
  /** The addresses of the guests that rules name. */
  readonly guests: GuestAddresses;
}
