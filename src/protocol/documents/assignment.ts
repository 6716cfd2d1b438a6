/**
 * What host0's controller tells the agent on its own machine, over the control socket (`GET /v1/assignment`, SSE): a
 * `snapshot` event with an `Assignment`, then `member` events (`AssignedMember`); any other change is a new snapshot.
 * A node that has only `.conf` files builds the same document from them and the member lists.
 */
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { Member } from '../../model/network/member.ts';
import type { Network, NetworkId } from '../../model/network/network.ts';
import type { MembershipVersion } from './membership.ts';

/** A group of host0's ports on one physical segment. */
export interface Segment {
  /** host0's port on it. */
  readonly device: string;
  readonly ipv4: Ipv4;
  readonly subnet: Ipv4Cidr;
}

/** A port of the underlay as host0 wants it: up, and with the address that host0 gave the segment, if it did. */
export interface UnderlayNic {
  readonly device: string;
  readonly address?: { readonly ipv4: Ipv4; readonly length: number };
}

export interface Assignment {
  readonly version: MembershipVersion;
  readonly networks: readonly Network[];
  /** The other members of each network, as this node should reach them. */
  readonly members: Readonly<Record<NetworkId, readonly Member[]>>;
  /** host0 forwards VXLAN packets, and nothing else, between these. */
  readonly segments: readonly Segment[];
  readonly nics: readonly UnderlayNic[];
}

export interface AssignedMember {
  readonly version: MembershipVersion;
  readonly network: NetworkId;
  readonly change: 'join' | 'change' | 'leave';
  readonly member: Member;
}
