/** Composes what host0 gives to nodes: the networks of the catalogue, for those who hold them. */
import { randomBytes } from 'node:crypto';
import { OwnNode } from '../../api/channel/own-node.ts';
import { AssignmentEpoch } from '../../controller/assignments/assignment-epoch.ts';
import { Assignments } from '../../controller/assignments/assignments.ts';
import type { AssignmentsInput, HostParts } from '../../controller/assignments/assignments-input.ts';
import { NodeOrphans } from '../../controller/assignments/node-orphans.ts';
import { PortOrders, type PortOrdersInput } from '../../controller/assignments/port-orders.ts';
import type { NetworkCatalogue } from '../../controller/catalogue/network-catalogue.ts';
import type { Host0State } from '../../controller/host0-state.ts';
import type { AddressBook } from '../../controller/ipam/address-book.ts';
import { NodeRoles } from '../../controller/machines/node-roles.ts';
import { KeyedMutex } from '../../controller/membership/keyed-mutex.ts';
import { MulticastWatch } from '../../controller/multicast/multicast-watch.ts';
import { HostAddresses } from '../../controller/pools/host-addresses.ts';
import { PortBook } from '../../controller/ports/port-book.ts';
import { ActiveRouters } from '../../controller/routers/active-routers.ts';
import { routedNetworks } from '../../controller/routers/routed-networks.ts';
import { AddressMaps } from '../../controller/services/address-maps.ts';
import { GuestNames } from '../../controller/services/guest-names.ts';
import { HostShares } from '../../controller/services/host-shares.ts';
import { dropLostMaps } from '../../controller/services/lost-address-maps.ts';
import { OuterAllocations } from '../../controller/services/outer-allocations.ts';
import { ServiceBook } from '../../controller/services/service-book.ts';
import { ServiceOrders } from '../../controller/services/service-orders.ts';
import { MoveNotes } from '../../controller/workloads/move-notes.ts';
import { adoptWorkload } from '../../controller/workloads/workload-adoption.ts';
import { WorkloadBook } from '../../controller/workloads/workload-book.ts';
import { addWorkloadMetrics } from '../../controller/workloads/workload-metrics.ts';
import { type DiskCopies, followMoves } from '../../controller/workloads/workload-moves.ts';
import { WorkloadOrders } from '../../controller/workloads/workload-orders.ts';
import { WorkloadReports } from '../../controller/workloads/workload-reports.ts';
import type { Registry } from '../../metrics/registry.ts';
import type { Network } from '../../model/network/network.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { HealthSource } from '../../protocol/documents/finding.ts';

/** What host0 has before its assignments. */
export interface Host0AssignmentsInput
  extends Omit<AssignmentsInput, 'ports' | 'epoch' | 'roles' | 'services' | 'routers' | 'host0AddressFor'> {
  readonly host0State: Pick<Host0State, 'addressFor' | 'segments'>;
  readonly catalogue: NetworkCatalogue;
  readonly registry: Registry;
  /** The address book. */
  readonly book: AddressBook;
  /** The path of the socket of host0's own agent. */
  readonly agentSock: string;
  /** The node on this machine, where several machines can be host0: it is given its assignment as all nodes are. */
  readonly own: object | undefined;
  /** The mesh over which nodes hear host0; undefined while there is none. */
  readonly management: () => Pick<Network, 'id'> | undefined;
}

/** The assignments while host0's daemon runs. */
export interface Host0Assignments {
  readonly assignments: Assignments;
  readonly orphans: NodeOrphans;
  /** The ports that host0 places on nodes. */
  readonly ports: PortOrders;
  readonly portBook: PortBook;
  readonly workloads: WorkloadOrders;
  /** The services of networks. */
  readonly services: ServiceOrders;
  readonly serviceBook: ServiceBook;
  /** The IPv4 addresses of virtual machines. */
  readonly addressMaps: AddressMaps;
  /** Between which nodes multicast passes. */
  readonly multicast: MulticastWatch;
  /** host0's own agent, as it is asked by the routes of a channel. */
  readonly ownNode: Pick<OwnNode, 'node'>;
  readonly roles: NodeRoles;
  /** Begins to end moves of workloads. @returns a function that stops that */
  followMoves(copies: DiskCopies): () => void;
  /** What has findings. */
  readonly parts: readonly HealthSource[];
  close(): void;
}

/** Reads what nodes hold, and gives host0's own agent its assignment. */
export async function openAssignments(input: Host0AssignmentsInput): Promise<Host0Assignments> {
  const { catalogue, agentSock, host0State } = input;
  const leap = () => [...catalogue.leap(), book.leap()];
  const epoch = await AssignmentEpoch.open({ ...input, leap, unreadable: catalogue.unreadable });
  const book = await PortBook.open(input.store);
  const roles = await NodeRoles.open(input.store);
  const hostAddresses = await HostAddresses.open(input.store);
  const hostShares = await HostShares.open(input);
  const reports = new WorkloadReports(input.clock);
  const workloadBook = await WorkloadBook.open(input.store, {
    ports: book,
    isFreePort: (id) => !assignments.orphanBook.hasPort(id),
  });
  const workloads = reports.beside(workloadBook);
  const networks = () => catalogue.given.networks;
  const guests = new GuestNames(book);
  const serviceBook = await ServiceBook.open({
    ...{ ...input, networks },
    activeOf: (number) => routers.activeOf(number),
    guestsOf: (id) => guests.of(id),
  });
  book.changes.subscribe(({ before, after }) => {
    for (const id of new Set([before?.network, after?.network])) if (id !== undefined) serviceBook.guestsChanged(id);
  });
  const nodeCalled = (name: string) => assignments.nodeCalled(name)?.machine;
  const routers = await ActiveRouters.open({
    ...input,
    networks: () => routedNetworks(networks, serviceBook.records, roles, nodeCalled),
    isUnread: (number) => !catalogue.loaded || catalogue.isSpoilt(number) || serviceBook.isUnread({ number }),
  });
  const assignments = new Assignments({
    ...{
      ...input,
      epoch,
      roles,
      ports: book,
      hostParts: hostPartsOf(hostAddresses, hostShares),
      workloads,
      services: serviceBook,
      routers,
    },
    host0AddressFor: (viewer) => host0State.addressFor(viewer),
  });
  const multicast = new MulticastWatch({ ...input, assignments, networks, segments: () => host0State.segments });
  const admit: PortOrdersInput['admit'] = (...port) => multicast.admit(...port);
  const held = () =>
    networks()
      .filter(({ hostAddress }) => hostAddress.kind === 'per-node')
      .map((given) => ({ network: given, holders: assignments.holdersOf(given.id) }));
  const isGone = (id: NetworkId) => catalogue.loaded && catalogue.givenOf(id) === undefined;
  const settle = () => {
    const kept = [hostAddresses.settle(held), assignments.knowsNodes() ? hostShares.settle(held, isGone) : undefined];
    Promise.all(kept).catch((thrown: unknown) => input.journal.failure('host addresses not kept', thrown));
  };
  assignments.subscribe(settle);
  routers.changes.subscribe(() => serviceBook.routersChanged());
  for (const source of [serviceBook.changes, roles.changes, catalogue.changes]) source.subscribe(() => routers.look());
  await assignments.start();
  catalogue.usedBy(assignments.use);
  assignments.uses.subscribe(() => catalogue.usesChanged());
  catalogue.changes.subscribe((changed) => assignments.changeNetworks(changed, catalogue));
  const ownNode = new OwnNode({ ...input, socketPath: agentSock, assignments });
  if (input.own === undefined) ownNode.start();
  const network = (wanted: string) => catalogue.find(wanted).network;
  const ports = new PortOrders({ ...input, book, assignments, network, admit });
  const adopting = {
    adopt: (lost: Network) => catalogue.apply({ ...lost }),
    has: (id: NetworkId) => catalogue.givenOf(id) !== undefined,
  };
  const notes = new MoveNotes();
  const newWord = () => randomBytes(8).toString('hex');
  const parts = { book: workloadBook, reports, notes, newWord };
  const workloadParts = { ...parts, nodes: assignments, network, ports: book, admit };
  const orders = new WorkloadOrders({ ...input, ...workloadParts });
  const turns = new KeyedMutex<'maps'>();
  const outer = new OuterAllocations({ ...input, services: serviceBook, turns });
  const services = new ServiceOrders({ ...input, services: serviceBook, assignments, turns, outer });
  const addressMaps = new AddressMaps({
    ...{ services: serviceBook, ports: book, turns, outer },
    networks: () => catalogue.views().map((view) => view.network),
    portsOf: (name) => {
      const port = book.all.find((placed) => placed.name === name);
      if (port !== undefined && workloadBook.get(name) === undefined) return [port.id];
      return Object.values(workloadBook.find(name).ports);
    },
  });
  const endDropping = dropLostMaps({
    ...input,
    maps: addressMaps,
    ports: book,
    books: [book, workloadBook],
    machines: workloadBook.changes,
  });
  addWorkloadMetrics(input.registry, () => orders.list());
  return {
    assignments,
    multicast,
    ports,
    portBook: book,
    workloads: orders,
    services,
    serviceBook,
    addressMaps,
    ownNode,
    roles,
    parts: [book, workloadBook, orders, roles, serviceBook, outer, routers, assignments, hostAddresses, multicast],
    orphans: new NodeOrphans(assignments, adopting, ports, {
      adopt: (machine, workload) => adoptWorkload(workloadParts, machine, workload),
    }),
    followMoves: (copies) => followMoves({ ...input, ...workloadParts, copies, orders, epoch: () => epoch.current }),
    close: () => {
      ownNode.close();
      hostShares.close();
      endDropping();
      outer.close();
      services.close();
      serviceBook.close();
      routers.close();
      assignments.close();
    },
  };
}

function hostPartsOf(addresses: HostAddresses, shares: HostShares): HostParts {
  return {
    partOf: (...of) => ({ ...addresses.partOf(...of), ...shares.partOf(...of) }),
    changes: {
      subscribe: (listener) => {
        const ends = [addresses, shares].map(({ changes }) => changes.subscribe(listener));
        return () => ends.forEach((end) => void end());
      },
    },
  };
}
