/** A member: one node in one mesh, and the addresses that are derived from its identity. */

import type { Ipv4 } from '../address/ipv4.ts';
import { type Ipv6, ipv6WithSuffix } from '../address/ipv6.ts';
import type { Mac } from '../address/mac.ts';
import type { MachineWord } from '../machine.ts';
import { derivedMac, derivedSuffix, linkLocalWith, remembered } from './address-derivation.ts';
import type { DerivedHostAddress } from './host-address.ts';
import type { Network } from './network.ts';

/** A member as the member list gives it: all that its peers need to reach it. */
export interface Member {
  /** Host name, for people. Not an identity. */
  readonly name: string;
  /**
   * Underlay address of the member's VXLAN packets. host0 has one on each segment: the list gives the one that the
   * asker can reach.
   */
  readonly ipv4: Ipv4;
  /** Address of the node's bridge: the source of the node's own frames. */
  readonly mac: Mac;
  readonly ipv6: Ipv6;
}

/** A node in a network over IPv4 or IPv6: a member, or a node that holds a network of host0. */
export type Holder = Omit<Member, 'ipv4'> & { readonly ipv4?: Ipv4; readonly underlay?: Ipv6 };

/** The address of a node's VTEP. */
export function vtepOfHolder({ ipv4, underlay }: Pick<Holder, 'ipv4' | 'underlay'>): Ipv4 | Ipv6 | undefined {
  return ipv4 ?? underlay;
}

/** Whether nothing that peers see is different. */
export function sameMember(a: Member, b: Member): boolean {
  return a.name === b.name && a.ipv4 === b.ipv4 && a.mac === b.mac && a.ipv6 === b.ipv6;
}

/** The addresses of a machine in a network whose members have derived addresses. */
export interface MemberAddresses {
  /** Ethernet address of the VXLAN device. */
  readonly vtepMac: Mac;
  /** Ethernet address of the bridge: the source of the node's own frames. */
  readonly bridgeMac: Mac;
  readonly ipv6: Ipv6;
  readonly linkLocal: Ipv6;
}

/** A network whose members have derived addresses. */
type DerivedNetwork = Network & { readonly hostAddress: DerivedHostAddress };

const HOST0_SUFFIX = '0000000000000001';

/** Whether the members of a network have derived addresses. */
export function hasDerivedAddresses(network: Network): network is DerivedNetwork {
  return network.hostAddress.kind === 'derived';
}

/** The addresses of `machine` in `network`. A node, host0 and a boot script derive the same ones. */
export function memberAddresses(network: DerivedNetwork, machine: MachineWord): MemberAddresses {
  return derived(network, machine);
}

const derived = remembered((network: DerivedNetwork, machine): MemberAddresses => {
  const { key, prefix } = network.hostAddress;
  const word = derivationWord(network);
  const suffix = machine === 'host0' ? HOST0_SUFFIX : derivedSuffix(key, machine, word);
  return {
    vtepMac: derivedMac('vxlan', key, machine, word),
    bridgeMac: derivedMac('bridge', key, machine, word),
    ipv6: ipv6WithSuffix(prefix, suffix),
    linkLocal: linkLocalWith(suffix),
  };
});

/** What of a network's identity is in its members' addresses: a mesh cannot be renamed, any other network can. */
export function derivationWord({ name, number, peers }: Pick<Network, 'name' | 'number' | 'peers'>): string {
  return peers?.kind === 'membership' ? `${name}${number}` : String(number);
}
