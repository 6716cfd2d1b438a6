/** The services that nodes are given. */
import type { Network } from '../../model/network/network.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { Subscribable } from '../../model/signal.ts';
import type { AssignedService } from '../../protocol/documents/service/assigned-service.ts';
import type { SpannedNode } from './network-span.ts';

/** What assignments need of the services of networks. */
export interface GivenServices {
  /** The store's revision that the services show. */
  readonly revision: number;
  /** Emits when services are others. */
  readonly changes: Subscribable<void>;
  /** Whether a network has services. */
  has(network: Pick<Network, 'number'>): boolean;
  /** The networks that a node serves. */
  servedBy(node: SpannedNode): readonly NetworkId[];
  /** What a node is given for a network. */
  on(network: Network, node: SpannedNode): readonly AssignedService[];
}
