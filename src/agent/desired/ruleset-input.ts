/** What the nft tables of a node are derived from. */
import type { MemberAddresses } from '../../model/network/member.ts';
import type { Network, NetworkId } from '../../model/network/network.ts';
import type { Segment } from '../../protocol/documents/assignment.ts';
import type { OnLinkSubnet } from '../kernel/shared-subnets.ts';

/** All that the tables depend on. */
export interface RulesetInput {
  readonly networks: readonly {
    readonly network: Network;
    /** This node's own addresses in it. */
    readonly own: MemberAddresses;
  }[];
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
