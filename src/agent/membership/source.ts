/**
 * The two sources of a node's networks and members: its own files and the membership of each mesh (NodeSource), or, on
 * host0, the controller (Host0Source).
 */

import type { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import type { Route } from '../../kernel/rtnl/objects.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { MeshError } from '../../model/error.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { Subscribable } from '../../model/signal.ts';
import type { Finding } from '../../protocol/documents/finding.ts';
import type { NetworkState } from '../../protocol/documents/membership.ts';
import type { Attachment, Host0Stance } from '../desired/assignment.ts';

/** The part of the agent that its source uses. */
export interface SourceAgent {
  readonly cache: KernelTables;
  stateOf(network: Mesh): NetworkState;
  /** Emits when the phase of a network's state has changed. The source then reports the new state to host0. */
  readonly stateChanges: Subscribable<void>;
  /** Emits when IPv4 addresses or routes may have changed: the changed route, or undefined for anything else. */
  readonly underlayChanges: Subscribable<Route | undefined>;
  /**
   * Reconciles the kernel with the present networks and members of the source; resolves when nothing is left to do.
   * Never rejects.
   */
  takeUp(): Promise<void>;
}

/** The networks and members that a node should have, and what the agent asks about them. */
export interface Source {
  /** Whether the networks are known. Only then may networks that are not among them be taken down. */
  readonly known: boolean;
  readonly networks: readonly Mesh[];
  attachments(): readonly Attachment[];
  host0Stance(): Host0Stance;
  /**
   * Whether the member list is complete, so that an entry that belongs to no member is left over and may be deleted.
   */
  settled(network: NetworkId): boolean;
  /** Why the node is not a member of the network now; undefined when it is. */
  errorOf(network: NetworkId): MeshError | undefined;
  /**
   * When the stream of the network's members was opened, in milliseconds of the agent's clock; undefined while there is
   * none.
   */
  streamSinceMs(network: NetworkId): number | undefined;
  /** Findings about the network files, the last known members, and the segments of host0. Empty on host0. */
  readonly findings: readonly Finding[];
  /** host0's underlay addresses. */
  readonly host0: readonly Ipv4[];
  /** Emits a network when host0 has made this node a member, for the first time or again. Never on host0. */
  readonly joins: Subscribable<Mesh>;
  start(agent: SourceAgent): Promise<void>;
  stop(): Promise<void>;
}
