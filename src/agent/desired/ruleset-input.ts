/** What the nft tables of a node are derived from. */
import type { Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { MemberAddresses } from '../../model/network/member.ts';
import type { Network, NetworkId } from '../../model/network/network.ts';
import type { Segment } from '../../protocol/documents/assignment.ts';

/** All that the tables depend on. */
export interface RulesetInput {
  readonly networks: readonly {
    readonly network: Network;
    /** This node's own addresses in it. */
    readonly own: MemberAddresses;
  }[];
  /** Subnets from which VXLAN packets of any network are accepted: host0's, where any machine may ask to join. */
  readonly openTo: readonly Ipv4Cidr[];
  /** host0's segments. Only VXLAN is forwarded between them. */
  readonly segments: readonly Segment[];
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

/** What the tables have of the members of one network: elements by the name of their set. They come and go with members. */
export type MemberElements = ReadonlyMap<string, ReadonlySet<string>>;

/** Addresses of members, and of this node itself. */
export interface GuardedAddresses {
  readonly macs: ReadonlySet<string>;
  /** IPv6 addresses as numbers (`addressNumber`). */
  readonly ipv6s: ReadonlySet<string>;
}
