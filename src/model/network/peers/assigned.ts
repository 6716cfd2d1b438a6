/** Peers `assigned`: host0 names the other nodes of a network in the assignment of each node. */

/** host0 tells each node the underlay addresses of the others. */
export interface AssignedPeers {
  readonly kind: 'assigned';
}
