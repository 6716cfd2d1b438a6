/**
 * The orphans that nodes have reported: what they have from another epoch of host0's store. A node that somebody has taken over
 * can make some up, so that their number is bounded, node by node.
 */
import { MeshError } from '../../model/error.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { Finding } from '../../protocol/documents/finding.ts';
import type { NodeOrphan, Orphan, OrphanName } from '../../protocol/documents/node-assignment.ts';
import { fitted } from '../../protocol/shapes/document.ts';
import * as form from '../../protocol/shapes/form.ts';
import { AssignedPortShape, OrphanNameShape } from '../../protocol/shapes/node-assignment-shape.ts';
import { NetworkIdShape } from '../../protocol/shapes/parts.ts';

/** The most orphans of one node that host0 keeps: more than the networks and ports of a large node. */
export const ORPHANS_OF_NODE_MAX = 1_024;

/** What the store has of one orphan. */
export interface KeptOrphan extends OrphanName {
  /** What host0 gives to nothing else, also before the node calls again: `net-<hex number>` or `port-<id>`. */
  readonly takes?: string;
  /** The network of a port. If the store has that network, the node holds it. */
  readonly network?: NetworkId;
}

/** The form of a kept orphan. */
export const KeptOrphanShape: form.Shape<KeptOrphan> = form.object({
  ...OrphanNameShape.fields,
  takes: form.exactOptional(form.string({ max: 64 })),
  network: form.exactOptional(NetworkIdShape),
});

/** Keeps the orphans of all nodes. */
export class OrphanBook {
  readonly #orphans = new Map<MachineWord, readonly Orphan[]>();
  /** The nodes that have more than host0 keeps, with how many they have. */
  readonly #tooMany = new Map<MachineWord, number>();
  /** What the store has of the orphans of nodes which have not called in this run of host0. */
  readonly #recalled = new Map<MachineWord, readonly KeptOrphan[]>();
  /** The ids of all orphans; undefined until they are asked for. */
  #ids: ReadonlySet<string | undefined> | undefined;

  /** Takes what a node has reported. @param epoch the present one: what is of this epoch is no orphan */
  take(machine: MachineWord, orphans: readonly Orphan[], epoch: string): void {
    const real = orphans.filter((orphan) => orphan.epoch !== epoch);
    if (real.length > ORPHANS_OF_NODE_MAX) this.#tooMany.set(machine, real.length);
    else this.#tooMany.delete(machine);
    this.#orphans.set(machine, real.slice(0, ORPHANS_OF_NODE_MAX));
    this.#recalled.delete(machine);
    this.#ids = undefined;
  }

  /** Takes what an earlier run of host0 has kept of a node, until the node calls. */
  recall(machine: MachineWord, orphans: readonly KeptOrphan[]): void {
    if (this.#orphans.has(machine)) return;
    this.#recalled.set(machine, orphans);
    this.#ids = undefined;
  }

  /** What is to be kept of a node's orphans over a restart. */
  keptOf(machine: MachineWord): readonly KeptOrphan[] {
    return this.#orphans.get(machine)?.map(keptOrphan) ?? this.#recalled.get(machine) ?? [];
  }

  /** Forgets what a node has reported. Its key was revoked: host0 takes nothing of it any more. */
  forget(machine: MachineWord): void {
    this.#orphans.delete(machine);
    this.#recalled.delete(machine);
    this.#tooMany.delete(machine);
    this.#ids = undefined;
  }

  /** All orphans, node by node. @param nameOf the name of a node, for people */
  named(nameOf: (machine: MachineWord) => string): NodeOrphan[] {
    return [...this.#orphans].flatMap(([machine, orphans]) =>
      orphans.map((orphan) => ({ machine, node: nameOf(machine), ...orphan })),
    );
  }

  /** Whether a node has a network of this number as an orphan. */
  hasNumber(number: number): boolean {
    return this.#hasId(`net-${number.toString(16)}`);
  }

  /** Whether a node has a port of this id as an orphan. */
  hasPort(id: string): boolean {
    return this.#hasId(`port-${id}`);
  }

  #hasId(id: string): boolean {
    this.#ids ??= new Set([
      ...[...this.#orphans.values()].flatMap((orphans) => orphans.map(idOf)),
      ...[...this.#recalled.values()].flatMap((orphans) => orphans.map(({ takes }) => takes)),
    ]);
    return this.#ids.has(id);
  }

  /** An orphan of a node. @throws MESH_OBJECT_UNKNOWN when the node has reported no such orphan */
  find(machine: MachineWord, name: OrphanName): Orphan {
    const orphan = this.#orphans.get(machine)?.find((candidate) => sameOrphan(candidate, name));
    if (orphan !== undefined) return orphan;
    throw new MeshError('MESH_OBJECT_UNKNOWN', `machine ${machine} has no orphan ${name.kind} ${name.id}`, {
      object: name.id,
      remedy: 'See `mesh node orphans list`.',
    });
  }

  /** A finding for each node with more orphans than host0 keeps. @param nameOf the name of a node, for people */
  findings(nameOf: (machine: MachineWord) => string): Finding[] {
    return Array.from(this.#tooMany, ([machine, count]) => ({
      code: 'MESH_ASSIGNMENT_ORPHAN',
      severity: 'warning',
      object: nameOf(machine),
      message: `${nameOf(machine)} says that it has ${count} networks and ports of an earlier store; host0 keeps ${ORPHANS_OF_NODE_MAX} of them`,
      remedy:
        'Adopt or release them: `mesh node orphans list`. If the node cannot have had so many, somebody has taken it over: revoke ' +
        'its key with `mesh node revoke NAME`, and boot it anew.',
    }));
  }
}

/** Whether both are names of one orphan. */
export function sameOrphan(a: OrphanName, b: OrphanName): boolean {
  return a.kind === b.kind && a.id === b.id && a.epoch === b.epoch;
}

function keptOrphan(orphan: Orphan): KeptOrphan {
  const { kind, id, epoch } = orphan;
  const takes = idOf(orphan);
  const network = kind === 'port' ? fitted(AssignedPortShape, orphan.document).document?.network : undefined;
  return { kind, id, epoch, ...(takes !== undefined && { takes }), ...(network !== undefined && { network }) };
}

/** A node calls a port by its id, or by its interface where an administrator has plugged it. */
function idOf({ kind, id, document }: Orphan): string | undefined {
  if (kind === 'network') return id;
  const port: unknown = kind === 'port' ? Reflect.get(Object(document), 'id') : undefined;
  return typeof port === 'string' ? `port-${port}` : undefined;
}
