/** The type `bridge`: a network of one node, whose bridge has no way to other nodes. */

/** A network that is on each of its nodes for itself. */
export interface BridgeType {
  readonly kind: 'bridge';
}
