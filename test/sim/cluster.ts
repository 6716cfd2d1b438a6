/** A simulated cluster: host0 and its nodes, on one simulated clock, network and store. */
import type { Operation } from '../../src/agent/items/item-kind.ts';
import { type Ipv4, type Ipv4Cidr, ipv4FromNumber, ipv4ToNumber } from '../../src/model/address/ipv4.ts';
import type { Mesh } from '../../src/model/network/mesh.ts';
import { MemoryStore } from '../kit/memory-store.ts';
import { board, meshNumber } from '../kit/networks.ts';
import { MeshPath } from './mesh-path.ts';
import { SimClock } from './sim-clock.ts';
import { Host0Process } from './sim-host0.ts';
import { SimMachine, type World } from './sim-machine.ts';
import { Timeline } from './timeline.ts';
import { Underlay } from './underlay.ts';

interface ClusterInput {
  /** The source of all chance in the cluster: the same numbers give the same run. */
  readonly random: () => number;
  /** Number of nodes besides host0. */
  readonly agents: number;
  /** Number of segments, 1 or 2. */
  readonly segments: number;
  /** Number of meshes. */
  readonly networks: number;
  /** Whether the timeline has the events of all journals. */
  readonly trace: boolean;
  /** Whether half of the nodes have a key, and so a channel. By default none has. */
  readonly channels?: boolean;
}

const SEGMENTS = ['10.1.0.0/16', '10.2.0.0/16'] as Ipv4Cidr[];

/**
 * All machines of one run, with counters of what they did. Nothing starts before `start`, or runs before `clock.run`.
 */
export class Cluster implements World {
  readonly clock = new SimClock();
  readonly random: () => number;
  readonly underlay: Underlay;
  readonly path: MeshPath;
  readonly timeline: Timeline;
  readonly networks: readonly Mesh[];
  readonly channels: boolean;
  readonly segments: readonly Ipv4Cidr[];
  readonly host0Machine: SimMachine;
  readonly nodes: SimMachine[] = [];
  daemon: Host0Process | undefined;
  /** When the last fault must be over. */
  calmAtMs = Number.POSITIVE_INFINITY;
  /** Bytes of HTTP bodies and streams. */
  bytes = 0;
  /** HTTP bodies and stream messages. */
  messages = 0;
  /** Operations that agents have performed in their kernels. */
  operations = 0;
  /** Called with each operation that an agent is about to perform in its kernel. */
  onOperation: (machine: SimMachine, operation: Operation) => void = () => undefined;
  #store: MemoryStore;
  #epochs = 0;
  #addresses = 0;

  constructor({ random, agents, segments, networks, trace, channels = false }: ClusterInput) {
    this.channels = channels;
    this.random = random;
    this.segments = SEGMENTS.slice(0, segments);
    this.underlay = new Underlay(this.segments, random);
    this.path = new MeshPath(this.underlay, this.clock);
    this.timeline = new Timeline(this.clock, trace);
    this.networks = Array.from({ length: networks }, (_, number) => meshNumber(number));
    this.#store = this.#newStore();
    const ipv4s = this.segments.map((segment) => addressIn(segment, 1));
    this.host0Machine = new SimMachine('host0', 'host0', ipv4s, this);
    this.underlay.add(this.host0Machine, 'host0');
    for (let number = 1; number <= agents; number++) this.#addNode(number);
  }

  readonly host0 = (): Host0Process | undefined => this.daemon;

  readonly count = (bytes: number): void => {
    this.bytes += bytes;
    this.messages++;
  };

  readonly performing = (machine: SimMachine, operation: Operation): void => {
    this.operations++;
    this.onOperation(machine, operation);
  };

  get machines(): readonly SimMachine[] {
    return [this.host0Machine, ...this.nodes];
  }

  /** Boots host0 at once, and each node at a random time within two seconds. */
  start(): void {
    this.bootHost0();
    for (const node of this.nodes) this.clock.after(this.random() * 2_000, () => node.boot());
  }

  bootHost0(): void {
    this.host0Machine.boot();
    this.startDaemon();
  }

  startDaemon(): void {
    if (this.host0Machine.on) this.daemon ??= new Host0Process(this.host0Machine, this.#store);
  }

  killDaemon(): void {
    this.daemon?.kill();
    this.daemon = undefined;
  }

  powerOffHost0(): void {
    this.killDaemon();
    this.host0Machine.powerOff();
  }

  /** Gives the next daemon an empty store with another epoch. */
  emptyStore(): void {
    this.#store = this.#newStore();
  }

  /** An IPv4 address that no machine has had. */
  freshIpv4(segment: Ipv4Cidr): Ipv4 {
    return addressIn(segment, 1_000 + this.#addresses++);
  }

  #addNode(number: number): void {
    const segment = this.segments[number % this.segments.length] ?? SEGMENTS[0];
    if (segment === undefined) throw new RangeError('no segment');
    const node = new SimMachine(`node${number}`, board(number), [addressIn(segment, 1 + number)], this);
    this.nodes.push(node);
    this.underlay.add(node, 'node');
  }

  #newStore(): MemoryStore {
    return new MemoryStore({ epoch: (++this.#epochs).toString(16).padStart(16, '0') });
  }
}

function addressIn(segment: Ipv4Cidr, number: number): Ipv4 {
  return ipv4FromNumber(ipv4ToNumber(segment.split('/')[0] as Ipv4) + number);
}
