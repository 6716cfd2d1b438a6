/**
 * Orphans of nodes: what was assigned under another epoch of host0's store. An administrator adopts them into the present store,
 * or releases them.
 */
import { MeshError } from '../../model/error.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { Network } from '../../model/network/network.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { AssignedPort, NodeOrphan, OrphanName } from '../../protocol/documents/node-assignment.ts';
import type { AssignedWorkload } from '../../protocol/documents/workload/assigned-workload.ts';
import { AssignedWorkloadShape } from '../../protocol/shapes/assigned-workload-shape.ts';
import { fitted } from '../../protocol/shapes/document.ts';
import { AssignedPortShape, NodeAttachmentShape } from '../../protocol/shapes/node-assignment-shape.ts';
import type { Assignments } from './assignments.ts';
import type { PortOrders } from './port-orders.ts';

/** The port of an orphan's document; undefined if there is none that host0 can have placed. */
function placed(document: unknown): AssignedPort | undefined {
  const { document: port } = fitted(AssignedPortShape, document);
  return port?.id === undefined || port.mac === undefined ? undefined : port;
}

function notAdoptable({ kind, id }: OrphanName): MeshError {
  return new MeshError('MESH_NOT_SUPPORTED', `the orphan ${kind} ${id} cannot be adopted`, {
    object: id,
    rule: 'host0 adopts networks and workloads of kinds that it knows, and ports that it has placed.',
    remedy: 'Release the orphan, and make the object again.',
  });
}

/** Where adopted networks go. */
export interface AdoptingCatalogue {
  /** Puts a network into the store under its own number; rejects if that or the name is taken. */
  adopt(network: Network): Promise<unknown>;
  /** Whether nodes can be given the network. */
  has(network: NetworkId): boolean;
}

/** Where adopted workloads go. */
export interface AdoptingWorkloads {
  /** Puts a workload into the store as the node has it; rejects if its name or uuid is taken. */
  adopt(machine: MachineWord, workload: AssignedWorkload): Promise<void>;
}

/** What orphans need of the assignments. */
export type OrphanAssignments = Pick<Assignments, 'orphans' | 'orphanBook' | 'release' | 'holdersOf'>;

/** The commands about orphans. */
export class NodeOrphans {
  readonly #assignments: OrphanAssignments;
  readonly #catalogue: AdoptingCatalogue;
  readonly #ports: Pick<PortOrders, 'adopt' | 'list'>;
  readonly #workloads: AdoptingWorkloads;

  constructor(
    assignments: OrphanAssignments,
    catalogue: AdoptingCatalogue,
    ports: Pick<PortOrders, 'adopt' | 'list'>,
    workloads: AdoptingWorkloads,
  ) {
    this.#assignments = assignments;
    this.#catalogue = catalogue;
    this.#ports = ports;
    this.#workloads = workloads;
  }

  /** All orphans, node by node. */
  list(): readonly NodeOrphan[] {
    return this.#assignments.orphans();
  }

  /**
   * Takes an orphan up into the store, a network with all ports that host0 had placed in it, a workload with its ports. The next assignment of each node that
   * has the object names it. A port of these whose id or Ethernet address another port has by now stays an orphan.
   * @throws MESH_OBJECT_UNKNOWN, MESH_NET_NUMBER_TWICE, MESH_NET_NAME_TWICE, MESH_NOT_SUPPORTED
   * @throws MESH_PORT_TAKEN, MESH_PORT_MAC_TWICE for an orphan port, MESH_WORKLOAD_TWICE
   */
  async adopt(machine: MachineWord, name: OrphanName): Promise<void> {
    const { document } = this.#assignments.orphanBook.find(machine, name);
    if (name.kind === 'port') {
      const port = placed(document);
      if (port === undefined) throw notAdoptable(name);
      await this.#ports.adopt({ machine }, port);
      return this.#releaseUnheld(port.network);
    }
    if (name.kind === 'workload') return this.#adoptWorkload(machine, name, document);
    const { document: attachment, fault } = fitted(NodeAttachmentShape, document);
    if (fault !== undefined) throw notAdoptable(name);
    const { id } = attachment.network;
    await this.#catalogue.adopt(attachment.network);
    for (const orphan of this.list()) {
      const port = orphan.kind === 'port' && orphan.epoch === name.epoch ? placed(orphan.document) : undefined;
      if (port?.network === id) await this.#adoptUnlessTaken(orphan, port);
    }
    await this.#releaseUnheld(id);
  }

  /** Lets an orphan of one node go. @throws MESH_OBJECT_UNKNOWN */
  async release(machine: MachineWord, name: OrphanName): Promise<void> {
    const { document } = this.#assignments.orphanBook.find(machine, name);
    await this.#assignments.release(machine, name);
    const { document: port } = fitted(AssignedPortShape, document);
    if (name.kind === 'port' && port !== undefined) await this.#releaseUnheld(port.network);
  }

  /** The workload first: its node takes a port for one of the workload that it has. */
  async #adoptWorkload(machine: MachineWord, name: OrphanName, document: unknown): Promise<void> {
    const { document: assigned } = fitted(AssignedWorkloadShape, document);
    if (assigned === undefined) throw notAdoptable(name);
    await this.#workloads.adopt(machine, assigned);
    const ids = new Set(Object.values(assigned.ports));
    for (const orphan of this.list()) {
      if (orphan.kind !== 'port' || orphan.machine !== machine || orphan.epoch !== name.epoch) continue;
      const port = placed(orphan.document);
      if (port?.id === undefined || !ids.has(port.id)) continue;
      await this.#adoptUnlessTaken(orphan, port);
      await this.#releaseUnheld(port.network);
    }
  }

  /**
   * A store that was emptied and then replaced by an older backup may have given an id twice: nobody remembered the first
   * port at that time.
   */
  async #adoptUnlessTaken(orphan: NodeOrphan, port: AssignedPort): Promise<void> {
    try {
      await this.#ports.adopt(orphan, port);
    } catch (thrown) {
      const { code } = MeshError.from(thrown);
      if (code !== 'MESH_PORT_TAKEN' && code !== 'MESH_PORT_MAC_TWICE') throw thrown;
    }
  }

  /**
   * Releases a network that the store has, on each node that has it as an orphan and no port in it, not even an orphan port: the
   * network was adopted for the others, or its last port here has been adopted elsewhere or released.
   */
  async #releaseUnheld(network: NetworkId): Promise<void> {
    if (!this.#catalogue.has(network)) return;
    const holders = new Set(this.#assignments.holdersOf(network));
    for (const { machine, kind, id, epoch } of this.list())
      if (kind === 'network' && id === network && !holders.has(machine))
        await this.release(machine, { kind, id, epoch });
  }
}
