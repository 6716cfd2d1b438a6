/** NAT64 and DNS64 as host0 gives them to the routers of a network: all have the same document, and it names the active one. */
import type { Ipv4, Ipv4Cidr } from '../../../model/address/ipv4.ts';
import type { Ipv6, Ipv6Cidr } from '../../../model/address/ipv6.ts';
import type { MachineWord } from '../../../model/machine.ts';

/** The way outside, and what is translated there. */
export interface AssignedNat64 {
  readonly kind: 'nat64';
  /** The same for the same content: a state is about exactly this content. */
  readonly id: string;
  /** The router that translates. Absent: none, because none lives, or the service is being removed. */
  readonly active?: MachineWord;
  /** The prefixes of the guests. */
  readonly guests: readonly Ipv6Cidr[];
  readonly prefix: Ipv6Cidr;
  readonly device: string;
  readonly address: Ipv4;
  readonly length: number;
  readonly gateway?: Ipv4;
  readonly block: Ipv4Cidr;
  readonly maps: readonly { readonly ipv4: Ipv4; readonly ipv6: Ipv6 }[];
}

/** A resolver for guests behind NAT64. */
export interface AssignedDns64 {
  readonly kind: 'dns64';
  readonly id: string;
  readonly active?: MachineWord;
  /** Where it listens, on the active router. Absent: the network has no /64. */
  readonly address?: Ipv6;
  readonly guests: readonly Ipv6Cidr[];
  readonly prefix: Ipv6Cidr;
  readonly forwarders: readonly (Ipv4 | Ipv6)[];
}
