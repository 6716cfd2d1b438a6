/** The IPv4 address of a virtual machine, as host0 tells it. */
import type { Ipv4 } from '../../../model/address/ipv4.ts';
import type { Ipv6 } from '../../../model/address/ipv6.ts';

/** One map. */
export interface AddressMapView {
  /** The name of the virtual machine. */
  readonly vm: string;
  /** The name of its network. */
  readonly network: string;
  readonly ipv4: Ipv4;
  /** The address that the machine gives itself in the network. */
  readonly ipv6: Ipv6;
}
