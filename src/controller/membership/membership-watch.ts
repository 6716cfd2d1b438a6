/** What metrics want to be told of the meshes. */
import type { Network } from '../../model/network/network.ts';
import type { MembershipChange } from './membership-log.ts';

export interface MembershipWatch {
  changed(network: Network, type: MembershipChange['type']): void;
  /** A member reported from another boot of its machine than before. */
  booted(network: Network): void;
}
