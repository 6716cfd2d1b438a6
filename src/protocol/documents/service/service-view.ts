/** How a service of a network is, as host0 tells. */
import type { Ipv6Cidr } from '../../../model/address/ipv6.ts';
import type { MachineWord } from '../../../model/machine.ts';
import type { NetworkService } from '../../../model/network/services/network-service.ts';
import type { ObjectState } from '../node-assignment.ts';

/** A service on one of the nodes that serve. */
export interface ServiceNodeView {
  readonly machine: MachineWord;
  /** The node's name. */
  readonly node: string;
  /** Whether the node's channel stands. A service does not wait for a node that is away. */
  readonly isReached: boolean;
  /** As the node has told of exactly this revision of the service. */
  readonly state: ObjectState;
}

/** A service of a network (`GET /v1/catalogue/{name}/services`). */
export interface ServiceView {
  /** The network's name. */
  readonly network: string;
  readonly service: NetworkService;
  /** Present while the service is being removed: its routers say goodbye. */
  readonly removing?: true;
  /** The prefixes that routers advertise. */
  readonly prefixes?: readonly Ipv6Cidr[];
  /** The prefixes that routers withdraw, with the lifetime 0. */
  readonly withdrawn?: readonly Ipv6Cidr[];
  /** `ready`: every node that serves and whose channel stands confirms this revision. */
  readonly state: 'ready' | 'pending' | 'failed';
  /** Why the service is not ready. */
  readonly why?: string;
  /** Of the node that has waited longest. */
  readonly ageSec?: number;
  readonly nodes: readonly ServiceNodeView[];
}
