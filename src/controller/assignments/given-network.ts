/** The networks that host0 gives to nodes: those of the store. A mesh comes from the files of each node. */
import type { Network } from '../../model/network/network.ts';
import type { NetworkId } from '../../model/network/number.ts';

/** The networks that nodes can be given, as they are at one revision of the store. */
export interface GivenNetworks {
  readonly revision: number;
  /** An unchanged network is the same object as before. */
  readonly networks: readonly Network[];
}

/** Where single networks are read. */
export interface GivenCatalogue {
  readonly given: GivenNetworks;
  givenOf(id: NetworkId): Network | undefined;
}
