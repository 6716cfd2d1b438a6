/** NAT44 and routing as host0 gives them to the routers of a network: all have the same document, and it names the active one. */
import type { Ipv4, Ipv4Cidr } from '../../../model/address/ipv4.ts';
import type { Ipv6Cidr } from '../../../model/address/ipv6.ts';
import type { MachineWord } from '../../../model/machine.ts';
import type { Gateway } from '../../../model/network/services/gateway.ts';
import type { Ipv4Row, PortRow } from '../../../model/network/services/nat44.ts';
import type { Uplink } from '../../../model/network/services/route.ts';

/** Guests behind addresses of the active router. */
export interface AssignedNat44 {
  readonly kind: 'nat44';
  /** The same for the same content: a state is about exactly this content. */
  readonly id: string;
  /** The router that has the gateways and the way outside. Absent: none, because none lives, or the service is being removed. */
  readonly active?: MachineWord;
  /** The IPv4 subnets of the guests. */
  readonly guests: readonly Ipv4Cidr[];
  readonly gateways: readonly Gateway[];
  readonly device: string;
  readonly address: Ipv4;
  readonly length: number;
  readonly gateway?: Ipv4;
  readonly range?: Ipv4Row;
  readonly ports?: PortRow;
}

/** Guests under their own addresses. */
export interface AssignedRoute {
  readonly kind: 'route';
  readonly id: string;
  readonly active?: MachineWord;
  /** The subnets that are routed. */
  readonly guests: readonly (Ipv4Cidr | Ipv6Cidr)[];
  /** None where IPv4 is not routed. */
  readonly gateways: readonly Gateway[];
  readonly device: string;
  readonly uplinks: readonly Uplink[];
}
