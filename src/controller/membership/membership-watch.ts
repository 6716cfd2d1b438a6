/** Calls from the meshes that the metrics count. */
import type { Mesh } from '../../model/network/mesh.ts';
import type { MembershipChange } from './membership-log.ts';

export interface MembershipWatch {
  changed(network: Mesh, type: MembershipChange['type']): void;
  /** A member reported from another boot of its machine than before. */
  booted(network: Mesh): void;
}
