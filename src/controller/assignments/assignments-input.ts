/** What host0's assignments are composed from. */
import type { Clock } from '../../model/clock.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { Network } from '../../model/network/network.ts';
import type { Subscribable } from '../../model/signal.ts';
import type { NodeAttachment } from '../../protocol/documents/node-assignment.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import type { Store } from '../../store/store.ts';
import type { PortBook } from '../ports/port-book.ts';
import type { AssignmentEpoch } from './assignment-epoch.ts';
import type { GivenServices } from './given-services.ts';
import type { GivenWorkloads } from './given-workloads.ts';
import type { NodePlaces } from './node-places.ts';
import type { PeerListsInput } from './peer-lists.ts';

/** What assignments depend on. */
export interface AssignmentsInput extends Pick<PeerListsInput, 'host0AddressFor'> {
  readonly clock: Clock;
  readonly journal: Journal;
  readonly store: Store;
  readonly places: Pick<NodePlaces, 'placeOf' | 'changes'>;
  readonly ports: PortBook;
  readonly epoch: AssignmentEpoch;
  /** The addresses of nodes on the bridges of networks. Absent: none. */
  readonly hostParts?: HostParts;
  /** The workloads of nodes. Absent: none. */
  readonly workloads?: GivenWorkloads;
  /** The services that nodes run for networks. Absent: none. */
  readonly services?: GivenServices;
  /** Who hears which nodes live. Absent: nobody. */
  readonly routers?: { opened(machine: MachineWord): void; closed(machine: MachineWord, silentMs: number): void };
  /** The roles of nodes, for networks that span roles. */
  readonly roles: { of(machine: MachineWord): readonly string[]; readonly changes: Subscribable<MachineWord> };
}

/** What a node has in networks with host addresses: its addresses, and the ranges from which it gives. */
export interface HostParts {
  partOf(network: Network, machine: MachineWord): Pick<NodeAttachment, 'hostAddresses' | 'dhcpRanges'>;
  /** Emits each node that has others than before. */
  readonly changes: Subscribable<MachineWord>;
}
