/** host0's memberships and a node in one process, with a clock that the test moves, and with lines in place of a channel. */
import { duplexPair } from 'node:stream';
import { setImmediate as runEventLoop } from 'node:timers/promises';
import { ChannelMemberships } from '../../src/agent/membership/channel-memberships.ts';
import { NodeSource } from '../../src/agent/membership/node-source.ts';
import type { Exchange, StreamHandlers, Transport } from '../../src/agent/membership/transport.ts';
import { type KeptConnection, keepMemberships, type MembershipSource } from '../../src/api/channel/kept-memberships.ts';
import { MemberDoubts } from '../../src/api/channel/member-doubts.ts';
import { Proofs } from '../../src/controller/admission/proofs.ts';
import { Membership } from '../../src/controller/membership/membership.ts';
import type { NetworkOutcome } from '../../src/disk/network-directory.ts';
import type { KernelEvent } from '../../src/kernel/rtnl/objects.ts';
import type { Ipv4, Ipv4Cidr } from '../../src/model/address/ipv4.ts';
import { MeshError } from '../../src/model/error.ts';
import type { MachineId } from '../../src/model/machine.ts';
import { memberAddresses } from '../../src/model/network/member.ts';
import type { Mesh } from '../../src/model/network/mesh.ts';
import { Signal } from '../../src/model/signal.ts';
import { PING_MS } from '../../src/protocol/channel/channel-times.ts';
import {
  membershipMessage,
  type NetworkState,
  parseVersion,
  type SelfReport,
  STREAM_COMMENT_MS,
} from '../../src/protocol/documents/membership.ts';
import { Journal } from '../../src/protocol/journal/journal.ts';
import type { Store } from '../../src/store/store.ts';
import type { ManualClock } from './manual-clock.ts';
import { MemoryStore } from './memory-store.ts';
import { sourceAgent } from './source-agent.ts';

const SEGMENT = '10.11.0.0/24' as Ipv4Cidr;
const HOST0 = '10.11.0.1' as Ipv4;

/** host0's memberships of some meshes, over a store that may have been there before. */
export class KeptHost0 {
  readonly journal: Journal;
  readonly clock: ManualClock;
  readonly meshes: readonly Membership[];
  readonly #loads = new Signal<void>();
  readonly #changes = new Signal<readonly Membership[]>();
  readonly doubts = new MemberDoubts();
  /** What host0's kernel has seen of each asker. */
  readonly #seen = new Map<string, { readonly mac: string; readonly ipv4: Ipv4 }>();

  constructor(clock: ManualClock, networks: readonly Mesh[], store: Store = new MemoryStore()) {
    this.clock = clock;
    this.journal = new Journal(clock, 'host0', 'host0');
    const tokens = { of: async () => [], sentBy: async () => undefined, used: async () => undefined };
    this.meshes = networks.map(
      (network) =>
        new Membership({
          network,
          name: 'host0',
          admit: () => undefined,
          proofs: new Proofs({ clock, tokens, channels: () => undefined }),
          mustProve: false,
          machines: () => [],
          machineNamed: () => undefined,
          elsewhere: () => [],
          clock,
          store,
          journal: this.journal,
          verification: { verify: async (_network, ipv6) => (this.#seen.get(ipv6) ?? {}) as object },
          host0AddressFor: () => HOST0,
          subnets: () => [SEGMENT],
          onChange: () => undefined,
          onLoad: () => undefined,
        }),
    );
  }

  async start(): Promise<void> {
    await Promise.all(this.meshes.map((mesh) => mesh.start()));
    for (const mesh of this.meshes) mesh.hear(true);
    this.#loads.emit();
  }

  /** What channels keep memberships with. */
  get source(): MembershipSource {
    const { meshes } = this;
    return {
      of: (id) => meshes.find(({ network }) => network.id === id),
      get loaded() {
        return meshes.every(({ loaded }) => loaded);
      },
      loads: this.#loads,
      changes: this.#changes,
    };
  }

  /** A packet of the machine arrives in a mesh, and a report in it. */
  async report(mesh: Membership, report: SelfReport): Promise<void> {
    const { ipv6, bridgeMac } = memberAddresses(mesh.network, report.machine);
    this.#seen.set(ipv6, { mac: bridgeMac, ipv4: report.ipv4 });
    await mesh.report(ipv6, report);
  }

  /** host0's kernel sees packets of a member from another underlay address. */
  see(network: Mesh, machine: MachineId, ipv4: Ipv4): void {
    const { ipv6, bridgeMac: mac } = memberAddresses(network, machine);
    this.#seen.set(ipv6, { mac, ipv4 });
    this.doubts.take({ type: 'overflow' });
  }

  /** The machines that are members of the mesh. */
  membersOf(network: Mesh): (MachineId | undefined)[] {
    const mesh = this.meshes.find((each) => each.network === network);
    return [...(mesh?.records ?? [])].map(({ machine }) => machine);
  }

  close(): void {
    for (const mesh of this.meshes) mesh.close();
  }
}

/** A node with its source, and a channel that a test opens and cuts. */
export class KeptNode {
  readonly source: NodeSource;
  readonly memberships: ChannelMemberships;
  /** Whether the connection of the channel is broken, and neither end has noticed. */
  isMute = false;
  /** The paths of the requests inside the meshes, with the mesh. */
  readonly requests: string[] = [];
  readonly pings: string[] = [];
  /** Whether packets pass between this node and host0. */
  isConnected = true;
  host0: KeptHost0;
  ipv4 = '10.11.0.10' as Ipv4;
  state: NetworkState = { phase: 'ready' };
  readonly machine: MachineId;
  readonly #clock: ManualClock;
  readonly #networks: readonly Mesh[];
  readonly #states = new Signal<void>();
  #openStreams = new Set<StreamHandlers>();
  #cut: (() => void) | undefined;

  constructor(clock: ManualClock, networks: readonly Mesh[], host0: KeptHost0, machine: MachineId) {
    this.#clock = clock;
    this.memberships = new ChannelMemberships(clock);
    this.#networks = networks;
    this.host0 = host0;
    this.machine = machine;
    this.source = this.#source();
  }

  async start(): Promise<void> {
    const agent = sourceAgent();
    await this.source.start({ ...agent, stateOf: () => this.state, stateChanges: this.#states });
    await settle();
  }

  /** The streams inside the meshes. */
  get streams(): number {
    return this.#openStreams.size;
  }

  setState(state: NetworkState): void {
    this.state = state;
    this.#states.emit();
  }

  /** Opens the channel. @param instance the one in the node's status. @param knows whether the node knows the request for memberships */
  async openChannel(instance = 'boot-1', knows = true): Promise<void> {
    const [ours, theirs] = duplexPair();
    const signs = new Signal<void>();
    let isOver = false;
    const cut = (): void => {
      isOver = true;
      ours.destroy();
      theirs.destroy();
    };
    this.#cut = cut;
    const connection: KeptConnection = {
      signsOfLife: signs,
      close: cut,
      converse: async () => {
        if (!knows) throw new MeshError('MESH_OBJECT_UNKNOWN', 'a node has nothing there');
        // The end of a channel is no fault: nothing may be thrown.
        void this.memberships.serve(theirs, () => theirs);
        return ours;
      },
    };
    const ping = (): void => {
      if (isOver) return;
      if (this.isConnected && !this.isMute) signs.emit();
      this.#clock.after(PING_MS, ping);
    };
    this.#clock.after(PING_MS, ping);
    const { machine } = this;
    const { source: memberships, doubts, journal } = this.host0;
    void keepMemberships(connection, journal, { machine, instance, memberships, doubts });
    await settle();
  }

  async cutChannel(): Promise<void> {
    this.#cut?.();
    await settle();
  }

  /** host0's process ends, and the streams with it. */
  async host0Ends(): Promise<void> {
    this.host0.close();
    this.isConnected = false;
    for (const handlers of [...this.#openStreams]) handlers.onEnd(gone());
    await this.cutChannel();
  }

  #source(): NodeSource {
    const changes = new Signal<NetworkOutcome>();
    const networks = this.#networks;
    const current = { networks, conflicts: [], errors: [] } as unknown as NetworkOutcome;
    return new NodeSource({
      machine: this.machine,
      name: 'node1',
      instance: 'boot-1',
      clock: this.#clock,
      journal: new Journal(this.#clock, 'agent', 'node1'),
      echo: async (to) => {
        this.pings.push(to);
        return this.isConnected ? 1 : undefined;
      },
      transport: this.#transport(),
      channel: this.memberships,
      kernel: {
        events: new Signal<KernelEvent>(),
        apply: async () => [],
        ipv4Routes: async () => [],
        routeTo: async (destination: Ipv4) => ({ family: 4, destination, link: 1, source: this.ipv4 }),
      } as never,
      host0: [HOST0],
      lastKnown: { read: async () => undefined, write: async () => undefined } as never,
      directory: {
        current,
        changes,
        start: async () => {
          changes.emit(current);
          return current;
        },
        close: async () => undefined,
      },
    });
  }

  #transport(): Transport {
    const meshAt = (host: string): Membership => {
      const mesh = this.host0.meshes.find(({ network }) => memberAddresses(network, 'host0').ipv6 === host);
      if (mesh === undefined || !this.isConnected) throw gone();
      return mesh;
    };
    return {
      exchange: async (target, { path, body = '' }: Exchange) => {
        const mesh = meshAt('host' in target ? target.host : '');
        this.requests.push(`${path} ${mesh.network.name}`);
        const report = JSON.parse(body) as SelfReport;
        try {
          await this.host0.report(mesh, report);
          return answer({ accepted: true, version: mesh.version, segments: mesh.segments });
        } catch (thrown) {
          return answer({ accepted: false, error: MeshError.from(thrown).toJSON() });
        }
      },
      openStream: (target, { headers }, handlers) => {
        const mesh = meshAt('host' in target ? target.host : '');
        this.requests.push(`/events ${mesh.network.name}`);
        this.#openStreams.add(handlers);
        const since = parseVersion(headers?.['last-event-id'] ?? '');
        const end = mesh.subscribe(this.ipv4, since, (event) => handlers.onMessage(membershipMessage(event)));
        const comment = (): void => {
          if (!this.#openStreams.has(handlers)) return;
          if (this.isConnected) handlers.onHeard?.();
          this.#clock.after(STREAM_COMMENT_MS, comment);
        };
        comment();
        return {
          close: () => {
            end();
            this.#openStreams.delete(handlers);
            handlers.onEnd(undefined);
          },
        };
      },
    };
  }
}

/** Lets lines arrive that have been written. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await runEventLoop();
}

/** Lets time pass, with what each second brings. */
export async function passSeconds(clock: ManualClock, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    await clock.pass(1_000);
    await settle();
  }
}

function answer(document: object) {
  return { status: 200, body: JSON.stringify(document) };
}

function gone(): MeshError {
  return new MeshError('MESH_HOST0_UNREACHABLE', 'host0 does not answer', { retryable: true });
}
