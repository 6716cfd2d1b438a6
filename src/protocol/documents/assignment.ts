/**
 * host0's controller tells host0's own agent what to set up, over the control socket (`GET /v1/assignment`, SSE): a
 * `snapshot` event with an `Assignment`, then `member` events (`AssignedMember`) and `underlay` events (`AssignedUnderlay`). Any
 * other change is a new snapshot. Without `?underlay=apart` a changed underlay is a new snapshot, too: an agent of the version
 * before knows no other way.
 * It has the meshes of host0's files. All else is in the `NodeAssignment` that host0's agent gets as every node does.
 */
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { Member } from '../../model/network/member.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { Finding } from './finding.ts';
import type { MembershipVersion } from './membership.ts';

/** A physical network that nodes can be on: one subnet of one of host0's NICs, and host0's address in it. */
export interface Segment {
  /** Name of the NIC. */
  readonly device: string;
  readonly ipv4: Ipv4;
  readonly subnet: Ipv4Cidr;
  /** Names of host0's other NICs on the same physical segment: its machines may send to host0 by any of them. */
  readonly also?: readonly string[];
}

/** A NIC that host0's agent keeps up, with the address that host0 chose for the segment. */
export interface UnderlayNic {
  readonly device: string;
  /** Absent where host0 allocated no subnet: the agent then leaves the addresses of the NIC alone. */
  readonly address?: { readonly ipv4: Ipv4; readonly length: number };
}

/** host0's side of the underlay: the data of an `underlay` event, when no network and no member has changed. */
export interface AssignedUnderlay {
  /** host0 forwards VXLAN packets between these segments, and nothing else. */
  readonly segments: readonly Segment[];
  readonly nics: readonly UnderlayNic[];
}

/** The path of the stream, for agents that know `underlay` events. */
export const ASSIGNMENT_PATH = '/v1/assignment?underlay=apart';

/** All that host0's agent must set up: the data of a `snapshot` event, in full each time. */
export interface Assignment extends AssignedUnderlay {
  readonly version: MembershipVersion;
  readonly networks: readonly Mesh[];
  /** The other members of each network, as this node should reach them. */
  readonly members: Readonly<Record<NetworkId, readonly Member[]>>;
  /** Findings of the daemon that it cannot tell to commands, since it accepts no connections. Absent: none. */
  readonly findings?: readonly Finding[];
}

/** One member that joined, changed or left: the data of a `member` event. */
export interface AssignedMember {
  readonly version: MembershipVersion;
  readonly network: NetworkId;
  readonly change: 'join' | 'change' | 'leave';
  readonly member: Member;
}
