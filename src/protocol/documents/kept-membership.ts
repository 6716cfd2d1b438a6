/**
 * Memberships that a node's channel keeps. A node becomes a member by its report inside the mesh (`PUT /self`), where host0's
 * kernel shows its addresses. From then on the channel stands for the reports: it proves that the machine lives, host0 sends the
 * changes of all meshes on it, and the node tells on it what changes in its reports.
 *
 * host0 opens `PUT /memberships` on the channel. Both bodies stay open, and have a JSON document on each line:
 *
 * - the node answers with a `MembershipClaim` for each mesh, and again after each change, and with an `EndedMembership` when
 *   the channel shall keep a membership no longer
 * - host0 sends `KeptMembership` when the channel keeps the membership from now on, then the changes, each as a `KeptChange`, and an
 *   `EndedMembership` when the channel keeps it no longer: the node then reports inside the mesh. An empty line each three
 *   seconds shows that host0 is there
 *
 * A node or a host0 of an earlier version does not know the request. Then the node reports in each mesh, and follows a stream there.
 */
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { MembershipVersion, NetworkState } from './membership.ts';

/** Which membership a line is about. `turn` counts the claims of a node, so that a late line is not taken for one of the next claim. */
export interface MembershipTurn {
  readonly network: NetworkId;
  readonly turn: number;
}

/** A node asks its channel to keep a membership that host0 has given it inside the mesh. */
export interface MembershipClaim extends MembershipTurn {
  readonly kind: 'claim';
  /** The underlay address that the node sends from. The membership is not kept if host0's kernel saw another one. */
  readonly ipv4: Ipv4;
  readonly state: NetworkState;
  /** The version of the member list that the node has. Absent: it needs a list. */
  readonly since?: MembershipVersion;
}

/** host0 keeps the membership from now on. */
export interface KeptMembership extends MembershipTurn {
  readonly kind: 'kept';
  /** The underlay subnets that host0 forwards VXLAN between. */
  readonly segments: readonly Ipv4Cidr[];
}

/** A change of the members of one mesh. */
export interface KeptChange extends MembershipTurn {
  readonly kind: 'change';
  /** A `MembershipEvent`, which the node reads by the form of its mesh. */
  readonly event: unknown;
}

/** The channel keeps the membership no longer. */
export interface EndedMembership extends MembershipTurn {
  readonly kind: 'ended';
}
