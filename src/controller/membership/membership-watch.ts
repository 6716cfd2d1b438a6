/** What the meshes tell whoever counts. */
import type { Network } from '../../model/network/network.ts';
import type { MembershipChange } from './membership-log.ts';

export interface MembershipWatch {
  changed(network: Network, type: MembershipChange['type']): void;
  /** A member came with another boot instance than the one that it was known by. */
  booted(network: Network): void;
}
