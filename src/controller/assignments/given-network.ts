/** A network as nodes can be given it. */
import type { Network } from '../../model/network/network.ts';

/** A network that nodes can be given, and how its nodes find each other. */
export interface GivenNetwork {
  /** The same object as long as the network is the same. */
  readonly network: Network;
  readonly peers: 'assigned' | 'multicast' | 'explicit' | 'none';
  /** Whether every node holds the network, also without a port. */
  readonly isEverywhere: boolean;
}

/** The networks that nodes can be given, as they are at one revision of the store. */
export interface GivenNetworks {
  readonly revision: number;
  readonly networks: readonly GivenNetwork[];
}
