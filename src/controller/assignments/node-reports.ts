/** What nodes have said of themselves in this run of host0. Another run hears it again. */
import type { MachineWord } from '../../model/machine.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { GroupHearing, NodeStatus, ObjectStatus } from '../../protocol/documents/node-assignment.ts';

/** What a node reports, as far as its assignment depends on it. */
export type ReportedStatus = Pick<NodeStatus, 'ports' | 'orphans' | 'digests'> &
  Partial<
    Pick<
      NodeStatus,
      'said' | 'vteps' | 'groups' | 'objects' | 'assignment' | 'term' | 'epochsBefore' | 'runs' | 'capacity'
    >
  >;

/** Keeps the last report of each node. */
export class NodeReports {
  /** The networks that each node has from host0. */
  readonly #have = new Map<MachineWord, ReadonlySet<string>>();
  readonly #said = new Map<MachineWord, string>();
  readonly #objects = new Map<MachineWord, readonly ObjectStatus[]>();
  readonly #groups = new Map<MachineWord, NonNullable<NodeStatus['groups']>>();

  /** @returns whether the node has said something new of its ports */
  take(machine: MachineWord, { digests, said, objects = [], groups }: ReportedStatus): boolean {
    this.#have.set(machine, new Set(Object.keys(digests)));
    this.#objects.set(machine, objects);
    if (groups === undefined) this.#groups.delete(machine);
    else this.#groups.set(machine, groups);
    if (said === undefined || said === this.#said.get(machine)) return false;
    this.#said.set(machine, said);
    return true;
  }

  /** A node whose channel has ended may be otherwise by now. */
  closed(machine: MachineWord): void {
    this.#objects.delete(machine);
    this.#groups.delete(machine);
  }

  /** Whom a node hears in the multicast group of a network; undefined while it has not told. */
  hearingOf(machine: MachineWord, network: NetworkId): GroupHearing | undefined {
    return this.#groups.get(machine)?.[network];
  }

  /** The networks that a node has from host0; undefined before its first report. */
  networksOf(machine: MachineWord): ReadonlySet<string> | undefined {
    return this.#have.get(machine);
  }

  /** The word for what the node said of its ports (`NodeStatus.said`). */
  saidBy(machine: MachineWord): string | undefined {
    return this.#said.get(machine);
  }

  /** How an object is on a node; undefined while the node has not told. */
  stateOf(machine: MachineWord, wanted: ObjectStatus['kind'], called: string): ObjectStatus | undefined {
    return this.#objects.get(machine)?.find(({ kind, id }) => kind === wanted && id === called);
  }
}
