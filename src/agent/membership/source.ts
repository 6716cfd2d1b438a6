/** Where a node learns what it takes part in: from its own files and the meshes, or, on host0, from the controller. */

import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { MeshError } from '../../model/error.ts';
import type { Network, NetworkId } from '../../model/network/network.ts';
import type { Subscribable } from '../../model/signal.ts';
import type { Finding } from '../../protocol/documents/finding.ts';
import type { NetworkState } from '../../protocol/documents/membership.ts';
import type { Attachment, Host0Stance } from '../desired/assignment.ts';
import type { KernelCache } from '../kernel/kernel-cache.ts';

/** The agent, as far as its source asks it and hears from it. */
export interface SourceAgent {
  readonly cache: KernelCache;
  stateOf(network: Network): NetworkState;
  /** Emits when the phase of a network's state is another: it is to be told to host0 at the next occasion. */
  readonly stateChanges: Subscribable<void>;
  /** Emits when IPv4 addresses or routes have changed. */
  readonly underlayChanges: Subscribable<void>;
  /** Brings the kernel up to what the source says now; resolves when nothing is left to do. */
  takeUp(): Promise<void>;
}

export interface Source {
  /** The networks are known: those that are not among them may be taken down. */
  readonly known: boolean;
  readonly networks: readonly Network[];
  attachments(): readonly Attachment[];
  host0Stance(): Host0Stance;
  /** Whether an entry that belongs to no member of the network is known to be left over. */
  settled(network: NetworkId): boolean;
  /** Why the node is not a member of the network now. */
  errorOf(network: NetworkId): MeshError | undefined;
  /** When the stream that the network's members come from was opened, on the clock; undefined while there is none. */
  streamSinceMs(network: NetworkId): number | undefined;
  /** What is wrong with the network files, if they are this node's. */
  readonly fileFindings: readonly Finding[];
  readonly host0: readonly Ipv4[];
  /** Emits a network when host0 counts this node as a member, for the first time or again. Never on host0. */
  readonly joins: Subscribable<Network>;
  start(agent: SourceAgent): Promise<void>;
  stop(): Promise<void>;
}
