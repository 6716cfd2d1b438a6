/** What the nft tables of a node are derived from. */

import type { NodeAddresses } from '../../model/network/node-addresses.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { VxlanType } from '../../model/network/types/vxlan.ts';
import type { Segment } from '../../protocol/documents/assignment.ts';
import type { OnLinkSubnet } from '../kernel/shared-subnets.ts';
import type { BridgedNetwork } from './bridged-network.ts';

/** What a network adds to the tables. */
export interface NetworkRules {
  readonly network: BridgedNetwork;
  /** This node's own addresses in it. */
  readonly own: NodeAddresses;
  /** The network's VXLAN; absent where the network has no way to other nodes. */
  readonly vxlan?: Pick<VxlanType, 'device' | 'vni' | 'udpPort' | 'underlay'> & { readonly senders: Senders };
}

/**
 * Whose VXLAN packets are taken: those of the addresses in the network's set, which come and go with peers; or all that
 * come in by one link from its subnets.
 */
export type Senders = 'listed' | { readonly device: string; readonly subnets: readonly string[] };

/** The rules of a network that has a VXLAN. */
export type VxlanRules = NetworkRules & { readonly vxlan: NonNullable<NetworkRules['vxlan']> };

/** The networks that have a VXLAN. */
export function withVxlan(networks: readonly NetworkRules[]): VxlanRules[] {
  return networks.filter((rules): rules is VxlanRules => rules.vxlan !== undefined);
}

/** What the tables of a node have beside its networks. */
export interface NodeRules {
  /**
   * Where VXLAN packets of any network are accepted, by NIC: from the subnets of host0's segments, where any machine may
   * ask to join.
   */
  readonly openTo: readonly OnLinkSubnet[];
  /** The senders of VXLAN packets that are on no segment are counted: on host0, where nodes ask to join. */
  readonly countsOutsiders: boolean;
  /** host0's segments, if there are several. Only VXLAN is forwarded between them. */
  readonly segments: readonly Segment[];
  /** All NICs of host0's segments. VXLAN packets leave by them only if they came in where their source is. */
  readonly underlay: readonly string[];
  /** Subnets that several NICs are on, by NIC. */
  readonly onLink: readonly OnLinkSubnet[];
  /** The administrator has enabled IP forwarding: traffic from a segment to other links is left alone. */
  readonly routes: boolean;
  /**
   * Foreign interfaces on our bridges. A port whose name nft cannot hold has no rule; such a port is never a plugged
   * one.
   */
  readonly ports: readonly {
    /** Name of the interface. */
    readonly link: string;
    readonly network: NetworkId;
    /** An administrator plugged the port in with `mesh port plug`. It belongs to a guest, which is not trusted. */
    readonly plugged: boolean;
  }[];
  /** Interfaces that are ports of other programs' bridges. */
  readonly elsewhere: readonly string[];
}

/** All that the tables depend on. */
export interface RulesetInput extends NodeRules {
  readonly networks: readonly NetworkRules[];
}
