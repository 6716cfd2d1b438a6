/** Peers `membership`: host0 lists the members inside the network, and each node reports there. */
import * as form from '../../form.ts';
import type { PeersRow } from './peers-row.ts';

/** The nodes of a mesh find each other through host0's member list. */
export interface MembershipPeers {
  readonly kind: 'membership';
}

/** The row of the kind. */
export const MEMBERSHIP: PeersRow<MembershipPeers> = {
  form: form.object({ kind: form.literal('membership') }),
  underlay: 'ipv4',
  defaults: () => ({}),
  fault: () => undefined,
};
