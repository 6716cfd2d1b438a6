/** A simulated node as far as assignments are concerned: its disk, the ports of its administrator, and what it has from host0. */
import type { LocalPort } from '../../src/agent/assignment/assigned-agent.ts';
import { type AssignmentDisk, LastAssignment } from '../../src/agent/assignment/last-assignment.ts';
import { NodeAssignments } from '../../src/agent/assignment/node-assignments.ts';
import type { Ipv4 } from '../../src/model/address/ipv4.ts';
import type { Clock } from '../../src/model/clock.ts';
import type { MachineId } from '../../src/model/machine.ts';
import type { Journal } from '../../src/protocol/journal/journal.ts';

/** The files of one node. */
export function memoryDisk(): AssignmentDisk {
  const files = new Map<string, string>();
  return {
    text: (path) => ({ path, read: async () => files.get(path), write: async (text) => void files.set(path, text) }),
    networks: async () => [...files.keys()].flatMap((path) => /^assigned\/(.*)$/.exec(path)?.[1] ?? []),
    remove: async (path) => void files.delete(path),
  };
}

/** One node, with its half of assignments. */
export class AssignedNode {
  readonly machine: MachineId;
  readonly name: string;
  readonly underlay: Ipv4;
  disk = memoryDisk();
  assignments!: NodeAssignments;
  /** Ports by interface, each with the name of its network. */
  readonly ports = new Map<string, string>();
  /** Networks that the node has given up: they are not plugged again, so that each loss is one that was wanted. */
  readonly left = new Set<string>();
  /** The interfaces of `ports` of which a host0 has heard. */
  told: ReadonlySet<string> = new Set();
  stands = false;
  readonly #clock: Clock;
  readonly #journal: Journal;

  constructor(number: number, clock: Clock, journal: Journal) {
    this.#clock = clock;
    this.#journal = journal;
    this.machine = number.toString(16).padStart(8, 'a') as MachineId;
    this.name = `node${number}`;
    this.underlay = `10.11.0.${number + 2}` as Ipv4;
  }

  async start(): Promise<void> {
    const [clock, journal] = [this.#clock, this.#journal];
    const last = new LastAssignment({ clock, journal, disk: this.disk });
    const files: readonly never[] = [];
    this.assignments = new NodeAssignments({ machine: this.machine, clock, journal, last, fileNetworks: () => files });
    await this.assignments.load();
    this.assignments.serve({
      stateOf: () => ({ phase: 'ready' }),
      takeUp: async () => undefined,
      localPorts: () => this.#localPorts(),
      portState: () => ({ state: 'plugged' }),
      vtepOf: () => undefined,
    });
  }

  get networks(): ReadonlySet<string> {
    return new Set(this.assignments.attachments.map(({ network }) => network.name));
  }

  /** The peers of each network, by its name. */
  get peers(): ReadonlyMap<string, ReadonlySet<string>> {
    return new Map(
      this.assignments.attachments.map(({ network: { name }, peers }) => [
        name,
        new Set(peers.kind === 'assigned' ? peers.peers.map(({ machine }) => machine) : []),
      ]),
    );
  }

  /**
   * Whether the node has the network, with a port of its administrator of which a host0 has heard, or with an orphan port.
   * @param hasMoved whether host0 has moved the port of this id to another node
   */
  isHeard(name: string, hasMoved: (id: string) => boolean): boolean {
    const network = this.assignments.attachments.find((attachment) => attachment.network.name === name)?.network;
    if (network === undefined) return false;
    const orphans = this.assignments.status().orphans.filter(({ kind }) => kind === 'port');
    const isOrphaned = orphans.some(
      ({ document }) => Reflect.get(Object(document), 'network') === network.id && !hasMoved(idIn(document)),
    );
    return isOrphaned || [...this.ports].some(([link, wanted]) => wanted === name && this.told.has(link));
  }

  #localPorts(): LocalPort[] {
    const ids = new Map(this.assignments.attachments.map(({ network: { name, id } }) => [name, id]));
    return Array.from(this.ports, ([link, network]) => ({
      link,
      network: ids.get(network) ?? network,
      state: 'wanted',
    }));
  }
}

/** The `id` in the document of an orphan port. */
export function idIn(document: unknown): string {
  return String(Reflect.get(Object(document), 'id'));
}
