/** Peers `assigned`: host0 names the other nodes of a network in the assignment of each node. */
import * as form from '../../form.ts';
import type { PeersRow } from './peers-row.ts';

/** host0 tells each node the underlay addresses of the others. */
export interface AssignedPeers {
  readonly kind: 'assigned';
}

/** The row of the kind. */
export const ASSIGNED: PeersRow<AssignedPeers> = {
  form: form.object({ kind: form.literal('assigned') }),
  underlay: 'ipv4',
  defaults: () => ({}),
  fault: () => undefined,
};
