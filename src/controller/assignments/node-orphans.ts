/**
 * Orphans of nodes: what was assigned under another epoch of host0's store. An administrator adopts them into the present store,
 * or releases them.
 */
import { MeshError } from '../../model/error.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { Network } from '../../model/network/network.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { AssignedPort, NodeOrphan, OrphanName } from '../../protocol/documents/node-assignment.ts';
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
    rule: 'host0 adopts networks of kinds that it knows, and ports that it has placed.',
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

/** The commands about orphans. */
export class NodeOrphans {
  readonly #assignments: Assignments;
  readonly #catalogue: AdoptingCatalogue;
  readonly #ports: Pick<PortOrders, 'adopt' | 'list'>;

  constructor(assignments: Assignments, catalogue: AdoptingCatalogue, ports: Pick<PortOrders, 'adopt' | 'list'>) {
    this.#assignments = assignments;
    this.#catalogue = catalogue;
    this.#ports = ports;
  }

  /** All orphans, node by node. */
  list(): readonly NodeOrphan[] {
    return this.#assignments.orphans();
  }

  /**
   * Takes an orphan up into the store, a network with all ports that host0 had placed in it. The next assignment of each node that
   * has the object names it. A port of the network whose id or Ethernet address another port has by now stays an orphan.
   * @throws MESH_OBJECT_UNKNOWN, MESH_NET_NUMBER_TWICE, MESH_NET_NAME_TWICE, MESH_NOT_SUPPORTED
   * @throws MESH_PORT_TAKEN, MESH_PORT_MAC_TWICE for an orphan port
   */
  async adopt(machine: MachineWord, name: OrphanName): Promise<void> {
    const { document } = this.#assignments.orphanBook.find(machine, name);
    if (name.kind === 'port') {
      const port = placed(document);
      if (port === undefined) throw notAdoptable(name);
      await this.#ports.adopt({ machine }, port);
      return this.#releaseUnheld(port.network);
    }
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
