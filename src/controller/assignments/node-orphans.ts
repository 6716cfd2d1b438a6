/**
 * Orphans of nodes: what was assigned under another epoch of host0's store. An administrator adopts them into the present store,
 * or releases them.
 */
import { MeshError } from '../../model/error.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { Network } from '../../model/network/network.ts';
import type { NodeOrphan, OrphanName } from '../../protocol/documents/node-assignment.ts';
import { fitted } from '../../protocol/shapes/document.ts';
import { NodeAttachmentShape } from '../../protocol/shapes/node-assignment-shape.ts';
import type { Assignments } from './assignments.ts';

/** The commands about orphans. */
export class NodeOrphans {
  readonly #assignments: Assignments;
  readonly #adopt: (network: Network) => Promise<unknown>;

  /** @param adopt puts a network into the store under its own number; rejects if that or the name is taken */
  constructor(assignments: Assignments, adopt: (network: Network) => Promise<unknown>) {
    this.#assignments = assignments;
    this.#adopt = adopt;
  }

  /** All orphans, node by node. */
  list(): readonly NodeOrphan[] {
    return this.#assignments.orphans();
  }

  /**
   * Takes the network of an orphan up into the store. The next assignment of each node that has the network names it.
   * @throws MESH_OBJECT_UNKNOWN, MESH_NET_NUMBER_TWICE, MESH_NET_NAME_TWICE, MESH_NOT_SUPPORTED
   */
  async adopt(machine: MachineWord, name: OrphanName): Promise<void> {
    const { document } = this.#assignments.orphan(machine, name);
    const { document: attachment, fault } = fitted(NodeAttachmentShape, document);
    if (fault !== undefined || name.kind !== 'network') {
      throw new MeshError('MESH_NOT_SUPPORTED', `the orphan ${name.kind} ${name.id} cannot be adopted`, {
        object: name.id,
        rule: 'host0 adopts networks of kinds that it knows. A port of a node is adopted with its network.',
        remedy: 'Release the orphan, and make the object again.',
      });
    }
    await this.#adopt(attachment.network);
    await this.#assignments.releaseUnheld(name, attachment.network.name);
  }

  /** Lets an orphan of one node go. @throws MESH_OBJECT_UNKNOWN */
  release(machine: MachineWord, name: OrphanName): Promise<void> {
    return this.#assignments.release(machine, name);
  }
}
