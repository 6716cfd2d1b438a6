/**
 * The orphans that nodes have reported: what they have from another epoch of host0's store. A node that somebody has taken over
 * can make some up, so that their number is bounded, node by node.
 */
import { MeshError } from '../../model/error.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { Finding } from '../../protocol/documents/finding.ts';
import type { Orphan, OrphanName } from '../../protocol/documents/node-assignment.ts';

/** The most orphans of one node that host0 keeps: more than the networks and ports of a large node. */
export const ORPHANS_OF_NODE_MAX = 1_024;
const NETWORK = /^net-([0-9a-f]{1,6})$/;

/** Keeps the orphans of all nodes. */
export class OrphanBook {
  readonly #orphans = new Map<MachineWord, readonly Orphan[]>();
  /** The nodes that have more than host0 keeps, with how many they have. */
  readonly #tooMany = new Map<MachineWord, number>();
  /** The numbers of networks and the ids of ports that are orphans; undefined until they are asked for. */
  #numbers: ReadonlySet<number> | undefined;
  #ports: ReadonlySet<string> | undefined;

  /** Takes what a node has reported. @param epoch the present one: what is of this epoch is no orphan */
  take(machine: MachineWord, orphans: readonly Orphan[], epoch: string): void {
    const real = orphans.filter((orphan) => orphan.epoch !== epoch);
    if (real.length > ORPHANS_OF_NODE_MAX) this.#tooMany.set(machine, real.length);
    else this.#tooMany.delete(machine);
    this.#orphans.set(machine, real.slice(0, ORPHANS_OF_NODE_MAX));
    this.#numbers = undefined;
    this.#ports = undefined;
  }

  /** Forgets what a node has reported. Its key was revoked: host0 takes nothing of it any more. */
  forget(machine: MachineWord): void {
    this.#orphans.delete(machine);
    this.#tooMany.delete(machine);
    this.#numbers = undefined;
    this.#ports = undefined;
  }

  /** The orphans of each node. */
  get all(): Iterable<readonly [MachineWord, readonly Orphan[]]> {
    return this.#orphans;
  }

  /** Whether a node has a network of this number as an orphan. */
  hasNumber(number: number): boolean {
    this.#numbers ??= new Set([...this.#orphans.values()].flatMap((orphans) => orphans.flatMap(numberOf)));
    return this.#numbers.has(number);
  }

  /** Whether a node has a port of this id as an orphan. */
  hasPort(id: string): boolean {
    this.#ports ??= new Set([...this.#orphans.values()].flatMap((orphans) => orphans.flatMap(portIdOf)));
    return this.#ports.has(id);
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
        'its key with `mesh node enroll NAME --revoke`, and boot it anew.',
    }));
  }
}

/** Whether both are names of one orphan. */
export function sameOrphan(a: OrphanName, b: OrphanName): boolean {
  return a.kind === b.kind && a.id === b.id && a.epoch === b.epoch;
}

function portIdOf({ kind, document }: Orphan): string[] {
  const id: unknown = kind === 'port' ? Reflect.get(Object(document), 'id') : undefined;
  return typeof id === 'string' ? [id] : [];
}

function numberOf({ kind, id }: Orphan): number[] {
  const hex = kind === 'network' ? NETWORK.exec(id)?.[1] : undefined;
  return hex === undefined ? [] : [Number.parseInt(hex, 16)];
}
