/** A simulated node with its half of assignments, and an agent that keeps its kernel so: what host0 has placed here becomes taps. */
import { Agent } from '../../src/agent/agent.ts';
import { LastAssignment } from '../../src/agent/assignment/last-assignment.ts';
import { NodeAssignments } from '../../src/agent/assignment/node-assignments.ts';
import type { Source } from '../../src/agent/membership/source.ts';
import { ForeignPorts } from '../../src/agent/ports/foreign-ports.ts';
import type { Ipv4 } from '../../src/model/address/ipv4.ts';
import type { MachineId } from '../../src/model/machine.ts';
import type { Mesh } from '../../src/model/network/mesh.ts';
import { Signal } from '../../src/model/signal.ts';
import { Journal } from '../../src/protocol/journal/journal.ts';
import { memoryDisk } from './assigned-node.ts';
import { HOST0_IPV4 } from './assigning-host0.ts';
import { ProcessKernel } from './process-kernel.ts';
import { ProcessClock, type SimClock } from './sim-clock.ts';
import { SimKernel } from './sim-kernel.ts';
import type { Timeline } from './timeline.ts';

/** One run of the agent. */
interface PortProcess {
  readonly agent: Agent;
  readonly assignments: NodeAssignments;
  readonly clock: ProcessClock;
  readonly kernel: ProcessKernel;
}

/** One node. */
export class PortNode {
  readonly machine: MachineId;
  readonly name: string;
  readonly underlay: Ipv4;
  kernel = new SimKernel();
  process: PortProcess | undefined;
  /** Whether its channel to host0 stands. */
  stands = false;
  readonly #clock: SimClock;
  readonly #random: () => number;
  readonly #timeline: Timeline;
  #disk = memoryDisk();

  constructor(number: number, world: { clock: SimClock; random: () => number; timeline: Timeline }) {
    this.#clock = world.clock;
    this.#random = world.random;
    this.#timeline = world.timeline;
    this.machine = number.toString(16).padStart(8, 'a') as MachineId;
    this.name = `node${number}`;
    this.underlay = `10.11.0.${number + 2}` as Ipv4;
    this.#switchOn();
  }

  /** Starts the agent; it runs when simulated time passes. */
  start(): void {
    const clock = new ProcessClock(this.#clock);
    const journal = new Journal(clock, 'agent', this.name);
    journal.subscribe((event) => this.#timeline.journal(event));
    const kernel = new ProcessKernel(this.kernel, clock, this.#random);
    const last = new LastAssignment({ clock, journal, disk: this.#disk });
    const { machine, name } = this;
    const assignments = new NodeAssignments({ machine, clock, journal, last, fileNetworks: () => [] });
    const agent = new Agent({
      ...{ name, machine, clock, journal, kernel, assignments },
      ports: new ForeignPorts({ plugged: [], unplugging: [] }, clock),
      keepPorts: async () => undefined,
      echo: async () => 1,
      source: new NoMeshes(this.underlay),
    });
    this.process = { agent, assignments, clock, kernel };
    void agent.start();
  }

  /** SIGKILL. */
  kill(): void {
    this.stands = false;
    this.process?.clock.kill();
    void this.process?.kernel.close();
    this.process = undefined;
  }

  /** The machine starts anew, with an empty kernel. @param keepsDisk a node that host0 boots has none */
  reboot(keepsDisk: boolean): void {
    this.kill();
    if (!keepsDisk) this.#disk = memoryDisk();
    this.kernel = new SimKernel();
    this.#switchOn();
    this.start();
  }

  /** The names of the taps in its kernel, without those that are about to be deleted. */
  get taps(): string[] {
    return [...this.kernel.links.values()].filter(({ kind }) => kind === 'tun').map(({ name }) => name);
  }

  #switchOn(): void {
    this.kernel.addNic('eth0', this.underlay, 24);
  }
}

/** The source of a node without a network file. */
class NoMeshes implements Source {
  readonly known = true;
  readonly networks = [];
  readonly findings = [];
  readonly host0 = [HOST0_IPV4];
  readonly joins = new Signal<Mesh>();
  readonly #local: Ipv4;

  constructor(local: Ipv4) {
    this.#local = local;
  }

  attachments() {
    return [];
  }

  host0Stance() {
    const segments: readonly never[] = [];
    const common = { onLink: true, segments, reachable: segments, device: 'eth0' };
    return { role: 'node', ipv4: HOST0_IPV4, local: this.#local, ...common } as const;
  }

  settled(): boolean {
    return true;
  }

  errorOf(): undefined {
    return undefined;
  }

  streamSinceMs(): undefined {
    return undefined;
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {}
}
