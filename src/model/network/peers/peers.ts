/** How the VTEPs of a network know each other. A kind of peers is a file in this folder. */
import type { AssignedPeers } from './assigned.ts';
import type { MembershipPeers } from './membership.ts';
import type { MulticastPeers } from './multicast.ts';

/** How the VTEPs of a network know each other. */
export type Peers = MembershipPeers | AssignedPeers | MulticastPeers;
