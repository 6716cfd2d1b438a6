/** host0's brain: the meshes, their members, and the assignment of host0's own agent. */

import { fileFindings } from '../formats/conf/file-findings.ts';
import type { MeshError } from '../model/error.ts';
import type { MachineId } from '../model/machine.ts';
import { memberAddresses } from '../model/network/member.ts';
import type { Mesh } from '../model/network/mesh.ts';
import type { Assignment } from '../protocol/documents/assignment.ts';
import { type Finding, findingOf, type HealthSource, objectOf } from '../protocol/documents/finding.ts';
import type { NetworkState } from '../protocol/documents/membership.ts';
import type {
  ChannelView,
  Host0Status,
  JoinView,
  NetworkView,
  NodeView,
  SelfStatus,
} from '../protocol/documents/views.ts';
import { type AssignmentEvent, AssignmentFeed, assignmentOf } from './assignment-feed.ts';
import { DescriptorWatch, type DescriptorWatchInput } from './descriptor-watch.ts';
import { AGENT_AWAY, failedNetworks, membersUnread, noSegment } from './health.ts';
import { Host0State } from './host0-state.ts';
import { nodesOf } from './machines/node-registry.ts';
import type { Membership } from './membership/membership.ts';
import { Memberships, type MembershipsSurroundings } from './memberships.ts';

/** What the controller is given by the process that runs it. */
export interface ControllerInput extends MembershipsSurroundings {
  /** The program's version. */
  readonly version: string;
  /** Absent: a new one. */
  readonly host0State?: Host0State;
  /** The node on host0's own machine, where several machines can be host0: that node has no other agent. */
  readonly own?: MachineId | undefined;
  /** Looks at the file descriptors of host0's daemon. Absent: it always has enough. */
  readonly descriptors?: Omit<DescriptorWatchInput, 'members'>;
}

/** The network files of a directory, read and judged (disk/network-directory.ts). */
export interface NetworkSetOutcome {
  readonly networks: readonly Mesh[];
  readonly errors: readonly MeshError[];
  readonly warnings: readonly MeshError[];
}

const AGENT_SILENT: NetworkState = { phase: 'pending', why: "host0's own agent has not reported" };

/** Puts the parts of host0 together that answer questions about all meshes: what is so, and what is not well. */
export class Controller {
  /** Where other parts of host0 report segments, NICs and names of machines. */
  readonly host0State: Host0State;
  /** The meshes with their members. */
  readonly memberships: Memberships;
  readonly #input: ControllerInput;
  readonly #startedMs: number;
  readonly #feed = new AssignmentFeed(() => this.#assignment());
  readonly #parts: HealthSource[] = [];
  #channelOf: ((machine: MachineId) => ChannelView) | undefined;
  readonly #descriptors: DescriptorWatch | undefined;
  #fileFindings: readonly Finding[] = [];
  #selfStates: SelfStatus['networks'] = {};

  constructor(input: ControllerInput) {
    this.#input = input;
    this.#startedMs = input.clock.nowMs();
    this.host0State = input.host0State ?? new Host0State(input.journal);
    this.memberships = new Memberships({
      ...input,
      host0State: this.host0State,
      hears: () => this.#descriptors?.hears() ?? true,
    });
    const members = () => this.memberships.memberCount;
    this.#descriptors = input.descriptors && new DescriptorWatch({ ...input.descriptors, members });
    // A deaf host0 answers no command, but its agent hears it.
    this.#descriptors?.changes.subscribe(() => this.#feed.renew());
    this.memberships.memberChanges.subscribe(({ network, change }) => this.#feed.changed(network, change));
    this.memberships.loads.subscribe(() => this.#feed.renew());
    this.host0State.changes.subscribe(() => this.#feed.renewUnderlay());
  }

  get #meshes(): readonly Membership[] {
    return this.memberships.meshes;
  }

  /**
   * Adds, changes and removes meshes as the files say. Calls are queued; each resolves when its new meshes have read
   * their members.
   */
  setNetworks(files: NetworkSetOutcome): Promise<void> {
    this.filesRead(files);
    return this.memberships.setMeshes(files.networks);
  }

  /** Takes note of what is wrong with the network files. */
  filesRead(files: NetworkSetOutcome): void {
    this.#fileFindings = fileFindings(files);
    for (const error of files.errors) this.#journalRefused(error);
  }

  /** Adds the findings of a part of host0 to `health`, after those of parts that were added before. */
  addHealthOf(part: HealthSource): void {
    this.#parts.push(part);
  }

  /**
   * Subscribes host0's own agent to its assignment: a snapshot, then changes.
   * @returns a function that ends the subscription
   */
  followAssignment(listener: (event: AssignmentEvent) => void): () => void {
    const end = this.#feed.subscribe(listener);
    return () => {
      end();
      if (this.#feed.listeners === 0) this.#selfStates = {};
    };
  }

  /** Takes the states of the networks on host0 itself from host0's agent. */
  selfReported({ networks }: SelfStatus): void {
    this.#selfStates = networks;
  }

  status(): Host0Status {
    const { name, version, clock } = this.#input;
    return {
      role: 'host0',
      version,
      node: name,
      upSec: Math.floor((clock.nowMs() - this.#startedMs) / 1000),
      ...this.memberships.version,
      segments: this.host0State.segments,
      joins: this.#joins(),
      nodesOnline: this.nodes().filter(({ online }) => online).length,
      networks: this.#meshes.length,
      health: this.health(),
    };
  }

  /** All nodes, host0 first. */
  nodes(): readonly NodeView[] {
    const seen = this.#meshes.map((mesh) => ({ network: mesh.network, presences: mesh.presences() }));
    const nodes = nodesOf(seen, this.#input.clock.nowMs());
    return [this.#self(), ...nodes.map((node) => this.#withChannel(node))];
  }

  /** Shows the channels of nodes in the list of nodes. */
  showChannels(channelOf: (machine: MachineId) => ChannelView): void {
    this.#channelOf = channelOf;
  }

  /**
   * All networks.
   * @throws MESH_HOST0_STARTING while the members of one have not been read
   */
  networks(): readonly NetworkView[] {
    for (const mesh of this.#meshes) mesh.mustBeLoaded();
    return this.loadedNetworks();
  }

  /** The networks whose members host0 has read. */
  loadedNetworks(): readonly NetworkView[] {
    const loaded = this.#meshes.filter((mesh) => mesh.loaded);
    return loaded.map((mesh) => {
      const { bridgeMac: mac, ipv6 } = memberAddresses(mesh.network, 'host0');
      const state = this.#selfState(mesh);
      return { network: mesh.network, state, self: { mac, ipv6 }, members: mesh.members() };
    });
  }

  async close(): Promise<void> {
    await this.memberships.close();
  }

  #withChannel(node: NodeView): NodeView {
    if (node.machine === undefined || this.#channelOf === undefined) return node;
    return { ...node, channel: this.#channelOf(node.machine) };
  }

  #joins(): JoinView[] {
    const { joins, segments } = this.host0State;
    return joins.map((join) => {
      const isSegment = segments.some(({ device, subnet }) => device === join.device && subnet === join.subnet);
      return { ...join, admits: isSegment ? this.memberships.admission : 'none' };
    });
  }

  #self(): NodeView {
    const { name } = this.#input;
    const meshes = this.#meshes.map((mesh) => {
      const { network } = mesh;
      const { bridgeMac: mac, ipv6 } = memberAddresses(network, 'host0');
      return {
        network: network.id,
        name: network.name,
        mac,
        ipv6,
        state: this.#selfState(mesh),
      };
    });
    const ipv4 = this.host0State.addressFor(undefined);
    return { name, role: 'host0', online: true, ipv4, lastSeenMsAgo: 0, meshes };
  }

  /** The state of a mesh on host0, as its agent has told. */
  #selfState(mesh: Membership): NetworkState {
    const { own } = this.#input;
    if (own === undefined) return this.#selfStates[mesh.network.id] ?? AGENT_SILENT;
    const presence = mesh.presences().find(({ record }) => record.machine === own);
    return presence?.online === true ? presence.state : AGENT_SILENT;
  }

  #assignment(): Assignment | undefined {
    const { meshes } = this.memberships;
    if (!this.memberships.loaded) return undefined;
    const findings = this.#descriptors?.health().filter(({ severity }) => severity === 'error') ?? [];
    return {
      ...assignmentOf(this.memberships.version, meshes, this.host0State.segments, this.host0State.nics),
      findings,
    };
  }

  /** The findings of host0 and its parts. */
  health(): readonly Finding[] {
    const networks = this.#meshes.map(({ network }) => network);
    return [
      ...this.#fileFindings,
      ...(this.host0State.segments.length === 0 ? [noSegment(this.host0State)] : []),
      ...this.host0State.findings,
      ...(this.#descriptors?.health() ?? []),
      ...(this.#feed.listeners === 0 && this.#input.own === undefined ? [AGENT_AWAY] : []),
      ...this.#meshes.filter(({ loaded }) => !loaded).map(({ network }) => membersUnread(network)),
      ...failedNetworks(networks, this.#selfStates),
      ...this.#parts.flatMap((part) => part.health()),
      ...this.#input.journal.faults.health(),
      ...this.#meshes.flatMap((mesh) =>
        mesh.refusals().map((error) => findingOf(error, { object: objectOf(error) ?? mesh.network.name })),
      ),
    ];
  }

  #journalRefused(error: MeshError): void {
    const { message, place, rule, remedy } = error;
    this.#input.journal.failure('network refused', error, {
      level: 'error',
      remedy: remedy ?? rule ?? 'Correct the file; the networks of before keep running.',
      ...(place !== undefined && {
        message: `${place.file}:${place.line}:${place.column}: ${message}`,
        object: place.file,
      }),
    });
  }
}
