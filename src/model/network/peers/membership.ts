/** Peers `membership`: host0 lists the members inside the network, and each node reports there. */

/** The nodes of a mesh find each other through host0's member list. */
export interface MembershipPeers {
  readonly kind: 'membership';
}
