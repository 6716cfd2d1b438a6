/**
 * The roles that an administrator has given to nodes, under `/v1/roles/<machine>`. A role is a word; networks with the span `roles`
 * are on all nodes that have one of the roles. A role belongs to the machine, and stays when the machine gets another name.
 */
import { MeshError } from '../../model/error.ts';
import type { MachineWord } from '../../model/machine.ts';
import { NameShape } from '../../model/network/words.ts';
import { Signal, type Subscribable } from '../../model/signal.ts';
import { type Finding, findingOf, type HealthSource } from '../../protocol/documents/finding.ts';
import * as form from '../../protocol/shapes/form.ts';
import { MachineWordShape } from '../../protocol/shapes/node-assignment-shape.ts';
import { Collection, jsonRecords } from '../../store/collection.ts';
import type { Store } from '../../store/store.ts';

interface RolesRecord {
  readonly machine: MachineWord;
  readonly roles: readonly string[];
}

/** More roles than a node can play. */
export const ROLES_OF_NODE_MAX = 64;

const ROLES = jsonRecords<RolesRecord>(
  '/v1/roles/',
  ({ machine }) => machine,
  form.object({ machine: MachineWordShape, roles: form.listOf(NameShape, ROLES_OF_NODE_MAX) }),
  8_192,
);

/** Keeps the roles. Changes are carried out one after another. */
export class NodeRoles implements HealthSource {
  readonly #store: Store;
  readonly #records: Collection<RolesRecord>;
  readonly #roles: Map<MachineWord, readonly string[]>;
  readonly #spoilt: readonly string[];
  readonly #changes = new Signal<MachineWord>();
  /** Emits each node whose roles have changed, when the store has them. */
  readonly changes: Subscribable<MachineWord> = this.#changes;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(store: Store, records: Collection<RolesRecord>, read: readonly RolesRecord[], spoilt: string[]) {
    this.#store = store;
    this.#records = records;
    this.#roles = new Map(read.map(({ machine, roles }) => [machine, roles]));
    this.#spoilt = spoilt;
  }

  /** Reads the roles. @throws MESH_STORE_BROKEN */
  static async open(store: Store): Promise<NodeRoles> {
    const records = new Collection(store, ROLES);
    const { records: read, spoilt } = await records.list();
    return new NodeRoles(
      store,
      records,
      read.map(({ record }) => record),
      spoilt.map((name) => records.keyOf(name)),
    );
  }

  /** The nodes that have roles. */
  get machines(): readonly MachineWord[] {
    return [...this.#roles.keys()];
  }

  /** The roles of a node, in the order of the alphabet. */
  of(machine: MachineWord): readonly string[] {
    return this.#roles.get(machine) ?? [];
  }

  /** Gives a node a role. One that the node has already is no error. @throws MESH_USAGE for too many roles */
  add(machine: MachineWord, role: string): Promise<void> {
    return this.#change(machine, (before) => {
      if (before.length >= ROLES_OF_NODE_MAX && !before.includes(role)) throw tooMany(role);
      return [...new Set([...before, role])];
    });
  }

  /** Takes a role from a node. @throws MESH_OBJECT_UNKNOWN when the node does not have it */
  remove(machine: MachineWord, role: string): Promise<void> {
    return this.#change(machine, (before) => {
      if (!before.includes(role)) throw notThere(role);
      return before.filter((other) => other !== role);
    });
  }

  health(): readonly Finding[] {
    return this.#spoilt.map((key) => {
      const error = new MeshError('MESH_STATE_DAMAGED', `the roles of a node cannot be read: ${key}`, {
        remedy: 'Give the node its roles again: `mesh node role add NODE ROLE`.',
      });
      return findingOf(error, { object: key, severity: 'error' });
    });
  }

  #change(machine: MachineWord, change: (before: readonly string[]) => readonly string[]): Promise<void> {
    const changed = this.#last.then(async () => {
      const before = this.of(machine);
      const roles = change(before).toSorted();
      if (roles.join() === before.join()) return;
      const write = roles.length === 0 ? this.#records.remove(machine) : this.#records.put({ machine, roles });
      await this.#store.txn([], [write]);
      if (roles.length === 0) this.#roles.delete(machine);
      else this.#roles.set(machine, roles);
      this.#changes.emit(machine);
    });
    this.#last = changed.catch(() => undefined);
    return changed;
  }
}

function tooMany(role: string): MeshError {
  return new MeshError('MESH_USAGE', `the node has ${ROLES_OF_NODE_MAX} roles already`, {
    object: role,
    rule: `A node has at most ${ROLES_OF_NODE_MAX} roles.`,
    remedy: 'Take one away first: `mesh node role remove NODE ROLE`.',
  });
}

function notThere(role: string): MeshError {
  return new MeshError('MESH_OBJECT_UNKNOWN', `the node does not have the role ${JSON.stringify(role)}`, {
    object: role,
    remedy: 'See `mesh node role list`.',
  });
}
