/** A simulated machine: its power, its kernel and the agent's process, composed as in src/main/agent.ts. */
import { Agent } from '../../src/agent/agent.ts';
import type { Operation } from '../../src/agent/items/item-kind.ts';
import type { Echo } from '../../src/agent/kernel/kernel-port.ts';
import { ChannelMemberships } from '../../src/agent/membership/channel-memberships.ts';
import { Host0Source } from '../../src/agent/membership/host0-source.ts';
import { NodeSource } from '../../src/agent/membership/node-source.ts';
import type { Source } from '../../src/agent/membership/source.ts';
import { ForeignPorts, type PortRecord } from '../../src/agent/ports/foreign-ports.ts';
import type { NetworkOutcome } from '../../src/disk/network-directory.ts';
import type { StateText } from '../../src/disk/state-file.ts';
import { type Ipv4, type Ipv4Cidr, ipv4InSubnet } from '../../src/model/address/ipv4.ts';
import type { MachineWord } from '../../src/model/machine.ts';
import { memberAddresses } from '../../src/model/network/member.ts';
import type { Mesh } from '../../src/model/network/mesh.ts';
import { Signal } from '../../src/model/signal.ts';
import { Journal } from '../../src/protocol/journal/journal.ts';
import { type ControlServer, ControlSocket } from './control-socket.ts';
import type { MeshPath } from './mesh-path.ts';
import { ProcessKernel } from './process-kernel.ts';
import { type ChannelServer, SimChannel } from './sim-channel.ts';
import { ProcessClock, type SimClock } from './sim-clock.ts';
import { SimKernel } from './sim-kernel.ts';
import { SimTransport } from './sim-transport.ts';
import type { Timeline } from './timeline.ts';
import type { Station, Underlay } from './underlay.ts';

/** The parts of a cluster that all machines share. */
export interface World {
  readonly clock: SimClock;
  readonly random: () => number;
  readonly underlay: Underlay;
  readonly path: MeshPath;
  readonly timeline: Timeline;
  readonly networks: readonly Mesh[];
  readonly segments: readonly Ipv4Cidr[];
  readonly host0: () => (ChannelServer & ControlServer) | undefined;
  /** Whether half of the nodes have a key, and so a channel. */
  readonly channels: boolean;
  /** Bytes of HTTP bodies and streams. */
  readonly count: (bytes: number) => void;
  /** Called with each operation that an agent is about to perform in its kernel. */
  readonly performing: (machine: SimMachine, operation: Operation) => void;
}

const NO_PORTS: PortRecord = { plugged: [], unplugging: [] };

/** One run of the agent. Killing the clock kills the process. */
export interface AgentProcess {
  readonly agent: Agent;
  readonly clock: ProcessClock;
  readonly kernel: ProcessKernel;
}

/** host0 or a node. It is off until `boot`. On host0, `Host0Process` is the second process. */
export class SimMachine implements Station {
  readonly name: string;
  readonly word: MachineWord;
  readonly world: World;
  kernel = new SimKernel();
  on = false;
  process: AgentProcess | undefined;
  /** The addresses of the NICs, eth0 first. */
  ipv4s: readonly Ipv4[];
  #boots = 0;
  #channel: SimChannel | undefined;
  /** The state file with the last known members. It survives a reboot where there is a disk. */
  #kept: string | undefined;
  #ports: PortRecord = NO_PORTS;
  #wallOffsetMs = 0;

  /** Half of all machines have a disk: their identifiers are evenly spread. */
  get hasDisk(): boolean {
    return /[02468ace]$/.test(this.word);
  }

  /** Half of all machines have a key. */
  get #hasKey(): boolean {
    return this.world.channels && this.word !== 'host0' && /[02468ace].$/.test(this.word);
  }

  constructor(name: string, word: MachineWord, ipv4s: readonly Ipv4[], world: World) {
    this.name = name;
    this.word = word;
    this.ipv4s = ipv4s;
    this.world = world;
  }

  boot(): void {
    this.kernel = new SimKernel();
    this.on = true;
    this.#boots++;
    if (!this.hasDisk) {
      this.#kept = undefined;
      this.#ports = NO_PORTS;
    }
    for (const [number, ipv4] of this.ipv4s.entries()) this.kernel.addNic(`eth${number}`, ipv4, 16);
    this.world.underlay.addressed();
    this.startAgent();
  }

  powerOff(): void {
    this.killAgent();
    this.on = false;
  }

  killAgent(): void {
    this.#channel?.died();
    this.#channel = undefined;
    this.process?.clock.kill();
    void this.process?.kernel.close();
    this.process = undefined;
  }

  startAgent(): void {
    if (!this.on || this.process !== undefined) return;
    const clock = new ProcessClock(this.world.clock);
    clock.wallOffsetMs = this.#wallOffsetMs;
    const journal = new Journal(clock, 'agent', this.name);
    journal.subscribe((event) => this.world.timeline.journal(event));
    const kernel = new ProcessKernel(this.kernel, clock, this.world.random);
    kernel.onOperation = (operation) => this.world.performing(this, operation);
    const echo = this.#echo(clock);
    const agent = new Agent({
      name: this.name,
      machine: this.word,
      clock,
      journal,
      kernel,
      ports: new ForeignPorts(this.#ports, clock),
      keepPorts: async ({ record }) => {
        this.#ports = record;
      },
      echo,
      source: this.#source(clock, journal, kernel, echo),
    });
    this.process = { agent, clock, kernel };
    void agent.start();
  }

  /** Gives eth0 another address, at the next boot if the machine is off. */
  moveTo(ipv4: Ipv4): void {
    const [old] = this.ipv4s;
    this.ipv4s = [ipv4];
    if (!this.on || old === undefined) return;
    this.kernel.removeIpv4('eth0', old);
    this.kernel.addIpv4('eth0', ipv4, 16);
    this.world.underlay.addressed();
  }

  jumpWallClock(ms: number): void {
    this.#wallOffsetMs += ms;
    if (this.process !== undefined) this.process.clock.wallOffsetMs = this.#wallOffsetMs;
  }

  #source(clock: ProcessClock, journal: Journal, kernel: ProcessKernel, echo: Echo): Source {
    const { world } = this;
    if (this.word === 'host0') {
      const transport = new ControlSocket(clock, world.host0);
      return new Host0Source({ controlSock: 'control.sock', startRemedy: '', transport, clock });
    }
    const machine = this.word;
    const transport = new SimTransport({ ...world, station: this, machine, clock, server: world.host0 });
    const instance = `boot-${this.name}-${this.#boots}`;
    const channel = this.#hasKey ? new ChannelMemberships(clock) : undefined;
    if (channel !== undefined) {
      const common = { ...world, station: this, machine, instance, clock, server: world.host0 };
      this.#channel = new SimChannel({ ...common, memberships: channel });
      this.#channel.start();
    }
    return new NodeSource({
      machine,
      name: this.name,
      instance,
      ...(channel !== undefined && { channel }),
      clock,
      journal,
      echo,
      transport,
      kernel,
      host0: this.#host0Addresses(),
      lastKnown: this.#disk(),
      directory: directoryOf(world.networks),
    });
  }

  #disk(): StateText {
    return {
      path: 'members.json',
      read: async () => this.#kept,
      write: async (text) => {
        this.#kept = text;
      },
    };
  }

  /** All addresses of host0, as the boot script hands them to a node. */
  #host0Addresses(): Ipv4[] {
    return this.world.segments.map((segment) => segment.replace(/0\/16$/, '1') as Ipv4);
  }

  #echo(clock: ProcessClock): Echo {
    const { path, networks, underlay } = this.world;
    return async (to, timeoutMs) => {
      const sentMs = clock.nowMs();
      const network = networks.find((candidate) => memberAddresses(candidate, 'host0').ipv6 === to);
      if (network === undefined) throw new TypeError(`${to} is no address of host0`);
      const own = memberAddresses(network, this.word).ipv6;
      const reached = path.roundTrip(this, network.bridge.name, own, to);
      await clock.pause(reached === undefined ? timeoutMs : 2 * underlay.oneWayMs(this.name, reached.station.name));
      return reached === undefined ? undefined : clock.nowMs() - sentMs;
    };
  }

  /** The segment of eth0. */
  segment(): Ipv4Cidr | undefined {
    const [ipv4] = this.ipv4s;
    return this.world.segments.find((segment) => ipv4 !== undefined && ipv4InSubnet(ipv4, segment));
  }
}

/** Network files that never change. */
function directoryOf(networks: readonly Mesh[]) {
  const changes = new Signal<NetworkOutcome>();
  const current: NetworkOutcome = { networks, files: {}, errors: [], warnings: [] };
  return {
    current,
    changes,
    start: async () => {
      changes.emit(current);
      return current;
    },
    close: async () => undefined,
  };
}
