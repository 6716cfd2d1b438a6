/** Where a node learns what it takes part in: from its own files and the meshes, or, on host0, from the controller. */

import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { MeshError } from '../../model/error.ts';
import type { Network, NetworkId } from '../../model/network/network.ts';
import type { Finding } from '../../protocol/documents/finding.ts';
import type { Attachment, Host0View } from '../desired/assignment.ts';

export interface Source {
  /** The networks are known: those that are not among them may be taken down. */
  readonly known: boolean;
  readonly networks: readonly Network[];
  attachments(): readonly Attachment[];
  host0View(): Host0View;
  /** Whether a row that belongs to no member of the network is known to be left over. */
  settled(network: NetworkId): boolean;
  /** Why the node is not a member of the network now. */
  errorOf(network: NetworkId): MeshError | undefined;
  /** When the stream that the network's members come from was opened, on the clock; undefined while there is none. */
  streamSinceMs(network: NetworkId): number | undefined;
  /** What is wrong with the network files, if they are this node's. */
  readonly fileFindings: readonly Finding[];
  readonly host0: readonly Ipv4[];
  start(): Promise<void>;
  /** How the networks fare has changed: tell host0 at the next occasion. */
  stateChanged(): void;
  /** The underlay may have changed. */
  underlayChanged(): Promise<void>;
  stop(): Promise<void>;
}
