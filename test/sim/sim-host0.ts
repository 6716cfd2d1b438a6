/** host0's simulated daemon, composed as in src/main/host0.ts. The simulation replaces its endpoints. */

import type { Exchange, HttpAnswer } from '../../src/agent/membership/transport.ts';
import { KeptMemberships } from '../../src/api/channel/kept-memberships.ts';
import { MemberDoubts } from '../../src/api/channel/member-doubts.ts';
import { KernelSourceVerification } from '../../src/api/membership/source-verification.ts';
import { underlaySegments } from '../../src/boot/nics/segments.ts';
import { Controller } from '../../src/controller/controller.ts';
import type { Membership } from '../../src/controller/membership/membership.ts';
import { HOST0_DEFAULTS } from '../../src/formats/host0/host0-conf.ts';
import type { Ipv6 } from '../../src/model/address/ipv6.ts';
import { MeshError } from '../../src/model/error.ts';
import type { MachineId } from '../../src/model/machine.ts';
import type { Mesh } from '../../src/model/network/mesh.ts';
import {
  membershipMessage,
  parseVersion,
  type SelfReport,
  type SelfReportAnswer,
} from '../../src/protocol/documents/membership.ts';
import type { SseMessage } from '../../src/protocol/documents/sse.ts';
import { Journal } from '../../src/protocol/journal/journal.ts';
import type { Store } from '../../src/store/store.ts';
import { NO_TOKENS } from '../kit/no-tokens.ts';
import type { ControlServer } from './control-socket.ts';
import type { ReachedBridge } from './mesh-path.ts';
import { ProcessStore } from './process-store.ts';
import type { ChannelServer } from './sim-channel.ts';
import { ProcessClock } from './sim-clock.ts';
import type { SimKernel } from './sim-kernel.ts';
import type { SimMachine } from './sim-machine.ts';

/** The delay of the daemon's look at its links after an event, as in kernel/mirror/live-mirror.ts. */
const COALESCE_MS = 20;

/** One run of the daemon, from its start to `kill`. */
export class Host0Process implements ChannelServer, ControlServer {
  readonly clock: ProcessClock;
  readonly controller: Controller;
  readonly #machine: SimMachine;
  readonly #kernel: SimKernel;
  readonly #store: ProcessStore;
  readonly #ends = new Set<() => void>();
  readonly #doubts = new MemberDoubts();
  readonly #channels = new Map<MachineId, KeptMemberships>();
  /** Index of the bridge that the socket of each mesh is bound to. */
  readonly #listening = new Map<Mesh, number | undefined>();
  #looking = false;

  constructor(machine: SimMachine, store: Store) {
    const { world, kernel } = machine;
    this.#machine = machine;
    this.#kernel = kernel;
    this.clock = new ProcessClock(world.clock);
    this.#store = new ProcessStore(store, this.clock);
    const journal = new Journal(this.clock, 'host0', machine.name);
    journal.subscribe((event) => world.timeline.journal(event));
    const verification = new KernelSourceVerification({
      neighbour: async (link, address) => kernel.neighbour(kernel.linkNamed(link)?.index ?? 0, address),
      // No simulated machine has guests, so no entry of a bridge leads to a port of theirs.
      fdbEntry: async (link, mac, table) =>
        table === 'self' ? kernel.entry(kernel.linkNamed(link)?.index ?? 0, mac) : undefined,
      nameOf: () => undefined,
    });
    this.controller = new Controller({
      name: machine.name,
      version: 'simulated',
      admission: 'open',
      tokens: NO_TOKENS,
      clock: this.clock,
      store: this.#store,
      journal,
      verification,
    });
    kernel.subscribe(this, (event) => {
      this.#doubts.take(event);
      if (event.type === 'link' || event.type === 'address') this.#lookSoon();
    });
    this.#look();
    this.controller.memberships.changes.subscribe(() => this.#look());
    void this.controller.setNetworks({ networks: world.networks, errors: [], warnings: [] });
  }

  kill(): void {
    this.clock.kill();
    this.#kernel.unsubscribe(this);
    void this.#store.close();
    for (const ended of [...this.#ends]) ended();
    this.#ends.clear();
  }

  onEnd(ended: () => void): () => void {
    this.#ends.add(ended);
    return () => this.#ends.delete(ended);
  }

  takeChannel(machine: MachineId, instance: string, write: (text: string) => void): KeptMemberships | undefined {
    if (this.#channels.has(machine)) return undefined;
    const { memberships } = this.controller;
    const kept = new KeptMemberships({ machine, instance, memberships, doubts: this.#doubts, write });
    this.#channels.set(machine, kept);
    return kept;
  }

  channelEnded(machine: MachineId, kept: KeptMemberships): void {
    kept.close();
    if (this.#channels.get(machine) === kept) this.#channels.delete(machine);
  }

  /** How many memberships the channels keep. */
  get kept(): number {
    return this.#doubts.size;
  }

  listensAt({ station, bridge }: ReachedBridge, network: Mesh): boolean {
    return station === this.#machine && this.#listening.get(network) === bridge.index;
  }

  async request(network: Mesh, peer: Ipv6, { body = '' }: Exchange): Promise<HttpAnswer> {
    await this.clock.arrival(0);
    const mesh = this.#meshOf(network);
    try {
      if (mesh === undefined) throw new MeshError('MESH_HOST0_STARTING', 'no such mesh yet', { retryable: true });
      await mesh.report(peer, JSON.parse(body) as SelfReport);
      const answer: SelfReportAnswer = { accepted: true, version: mesh.version, segments: mesh.segments };
      return { status: 200, body: JSON.stringify(answer) };
    } catch (thrown) {
      const error = MeshError.from(thrown);
      return { status: error.httpStatus, body: JSON.stringify(error) };
    }
  }

  async follow(
    network: Mesh,
    peer: Ipv6,
    lastEventId: string | undefined,
    send: (message: SseMessage) => void,
  ): Promise<() => void> {
    await this.clock.arrival(0);
    const mesh = this.#meshOf(network);
    if (mesh === undefined) throw new MeshError('MESH_HOST0_STARTING', 'no such mesh yet');
    mesh.mustBeLoaded();
    const viewer = await mesh.whereabouts(peer);
    const seen = lastEventId === undefined ? undefined : parseVersion(lastEventId);
    return mesh.subscribe(viewer, seen, (event) => send(membershipMessage(event)));
  }

  #meshOf(network: Mesh): Membership | undefined {
    return this.controller.memberships.meshes.find((mesh) => mesh.network.id === network.id);
  }

  #lookSoon(): void {
    if (this.#looking) return;
    this.#looking = true;
    this.clock.after(COALESCE_MS, () => {
      this.#looking = false;
      this.#look();
    });
  }

  /** Derives the segments from the NICs. Opens each mesh's socket again when the mesh's bridge was created again. */
  #look(): void {
    const { links, addresses } = this.#kernel.dump();
    const { segments } = underlaySegments({ links, addresses, routes: [] }, HOST0_DEFAULTS, []);
    this.controller.host0State.setSegments(segments);
    for (const mesh of this.controller.memberships.meshes) {
      const index = this.#kernel.linkNamed(mesh.network.bridge.name)?.index;
      if (index === this.#listening.get(mesh.network)) continue;
      if (this.#listening.get(mesh.network) !== undefined) {
        mesh.hear(false);
        for (const ended of [...this.#ends]) ended();
      }
      this.#listening.set(mesh.network, index);
      if (index !== undefined) mesh.hear(true);
    }
  }
}
