/** What guests of a network may do at their ports. */

/** Limits of guests. What is absent is not limited. */
export interface NetworkGuests {
  /** Whether a port sends only from the Ethernet and IP addresses that it was given. */
  readonly binding?: boolean;
  /** Whether guests on one node reach each other only through a router. */
  readonly isolation?: boolean;
  /** Limits of each port, as the guest sees the direction. */
  readonly bandwidth?: { readonly in?: Bandwidth; readonly out?: Bandwidth };
  readonly portGroups: readonly PortGroup[];
  /** The VLAN tag of frames on the underlay (IEEE 802.1Q). */
  readonly vlan?: number;
  /** Whether guests may send as routers and DHCP servers, and change their Ethernet address. */
  readonly trust?: boolean;
}

/** The rate of a port in one direction. */
export interface Bandwidth {
  readonly averageBytesPerSec: number;
  readonly peakBytesPerSec?: number;
  readonly burstBytes?: number;
}

/** A named choice of limits, which a port asks for. */
export interface PortGroup extends Omit<NetworkGuests, 'portGroups'> {
  readonly name: string;
  /** Whether ports that name no group get this one. */
  readonly isDefault: boolean;
}
