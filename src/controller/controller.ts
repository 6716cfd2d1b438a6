/** host0's brain: the meshes, their members, and the assignment of host0's own agent. */

import { fileFindings } from '../formats/conf/file-findings.ts';
import type { Admission } from '../formats/host0/host0-conf.ts';
import type { Ipv6 } from '../model/address/ipv6.ts';
import type { Clock } from '../model/clock.ts';
import type { MeshError } from '../model/error.ts';
import type { MachineId } from '../model/machine.ts';
import { memberAddresses } from '../model/network/member.ts';
import type { Mesh } from '../model/network/mesh.ts';
import { networkChange } from '../model/network/network-equality.ts';
import type { NetworkId } from '../model/network/number.ts';
import { Signal, type Subscribable } from '../model/signal.ts';
import type { Assignment } from '../protocol/documents/assignment.ts';
import { type Finding, findingOf, type HealthSource, objectOf } from '../protocol/documents/finding.ts';
import type { MembershipVersion, NetworkState } from '../protocol/documents/membership.ts';
import type {
  ChannelView,
  Host0Status,
  JoinView,
  NetworkView,
  NodeView,
  SelfStatus,
} from '../protocol/documents/views.ts';
import type { Journal } from '../protocol/journal/journal.ts';
import type { Store } from '../store/store.ts';
import { admissionInForce, admit } from './admission/admission.ts';
import { Proofs, type ProvenChannels, type TokenSource } from './admission/proofs.ts';
import { type AssignmentEvent, AssignmentFeed, assignmentOf } from './assignment-feed.ts';
import type { NodePlaces } from './assignments/node-places.ts';
import { DescriptorWatch, type DescriptorWatchInput } from './descriptor-watch.ts';
import { AGENT_AWAY, failedNetworks, membersUnread, noSegment } from './health.ts';
import { Host0State } from './host0-state.ts';
import { nodesOf } from './machines/node-registry.ts';
import { Membership } from './membership/membership.ts';
import { networkAdded } from './membership/membership-journal.ts';
import type { MembershipWatch } from './membership/membership-watch.ts';
import type { SourceVerification } from './membership/source-verification.ts';

/** What the controller is given by the process that runs it. */
export interface ControllerInput {
  /** host0's host name. */
  readonly name: string;
  /** The program's version. */
  readonly version: string;
  /** Undefined: see `admissionInForce`. */
  readonly admission: Admission | undefined;
  readonly tokens: TokenSource;
  readonly clock: Clock;
  readonly store: Store;
  readonly journal: Journal;
  readonly verification: SourceVerification;
  readonly watch?: MembershipWatch;
  /** Is told where nodes are. */
  readonly places?: Pick<NodePlaces, 'take' | 'host0Moved'>;
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

/** Keeps one Membership for each mesh of the network files, and answers questions about all of them. */
export class Controller {
  /** Where other parts of host0 report segments, NICs and names of machines. */
  readonly host0State: Host0State;
  readonly #input: ControllerInput;
  readonly #proofs: Proofs;
  readonly #startedMs: number;
  readonly #feed = new AssignmentFeed(() => this.#assignment());
  readonly #meshes = new Map<NetworkId, Membership>();
  readonly #meshChanges = new Signal<readonly Membership[]>();
  /** Emits all meshes after each change of the network files. */
  readonly meshChanges: Subscribable<readonly Membership[]> = this.#meshChanges;
  readonly #parts: HealthSource[] = [];
  #channelOf: ((machine: MachineId) => ChannelView) | undefined;
  #channels: ProvenChannels | undefined;
  readonly #descriptors: DescriptorWatch | undefined;
  #fileFindings: readonly Finding[] = [];
  #selfStates: SelfStatus['networks'] = {};
  #networksKnown = false;
  #wantedMeshes: readonly Mesh[] | undefined;
  #lastChange: Promise<void> = Promise.resolve();

  constructor(input: ControllerInput) {
    this.#input = input;
    this.#proofs = new Proofs({ ...input, channels: () => this.#channels });
    this.#startedMs = input.clock.nowMs();
    this.host0State = new Host0State(input.journal);
    const members = () => this.meshes.reduce((sum, mesh) => sum + (mesh.loaded ? mesh.others().length : 0), 0);
    this.#descriptors = input.descriptors && new DescriptorWatch({ ...input.descriptors, members });
    // A deaf host0 answers no command, but its agent hears it.
    this.#descriptors?.changes.subscribe(() => this.#feed.renew());
    this.host0State.changes.subscribe((change) => {
      if (change === 'segments') {
        for (const mesh of this.#meshes.values()) mesh.segmentsChanged();
        input.places?.host0Moved();
      }
      this.#feed.renewUnderlay();
    });
  }

  get meshes(): readonly Membership[] {
    return [...this.#meshes.values()];
  }

  /**
   * Adds, changes and removes meshes as the files say. Calls are queued; each resolves when its new meshes have read
   * their members.
   */
  setNetworks(files: NetworkSetOutcome): Promise<void> {
    this.filesRead(files);
    return this.setMeshes(files.networks);
  }

  /** Takes note of what is wrong with the network files. */
  filesRead(files: NetworkSetOutcome): void {
    this.#fileFindings = fileFindings(files);
    for (const error of files.errors) this.#journalRefused(error);
  }

  /** Adds, changes and removes meshes, in the order of the calls. Resolves when new meshes have read their members. */
  setMeshes(meshes: readonly Mesh[]): Promise<void> {
    if (meshes !== this.#wantedMeshes) this.#lastChange = this.#lastChange.then(() => this.#takeUp(meshes));
    this.#wantedMeshes = meshes;
    return this.#lastChange;
  }

  /** Takes reports of machines whose channel stands as proven from now on. */
  proveBy(channels: ProvenChannels): void {
    this.#channels = channels;
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
      ...this.#version(),
      segments: this.host0State.segments,
      joins: this.#joins(),
      nodesOnline: this.nodes().filter(({ online }) => online).length,
      networks: this.#meshes.size,
      health: this.health(),
    };
  }

  /** All nodes, host0 first. */
  nodes(): readonly NodeView[] {
    const seen = this.meshes.map((mesh) => ({ network: mesh.network, presences: mesh.presences() }));
    const nodes = nodesOf(seen, this.#input.clock.nowMs());
    return [this.#self(), ...nodes.map((node) => this.#withChannel(node))];
  }

  /** Shows the channels of nodes in the list of nodes. */
  showChannels(channelOf: (machine: MachineId) => ChannelView): void {
    this.#channelOf = channelOf;
  }

  /** Why a mesh refused a report of the machine in the last nine seconds; undefined if none did. */
  refusalOf(machine: MachineId): MeshError | undefined {
    return this.meshes.map((mesh) => mesh.refusalOf(machine)).find((error) => error !== undefined);
  }

  /**
   * All networks.
   * @throws MESH_HOST0_STARTING while the members of one have not been read
   */
  networks(): readonly NetworkView[] {
    for (const mesh of this.meshes) mesh.mustBeLoaded();
    return this.loadedNetworks();
  }

  /** The networks whose members host0 has read. */
  loadedNetworks(): readonly NetworkView[] {
    const loaded = this.meshes.filter((mesh) => mesh.loaded);
    return loaded.map((mesh) => {
      const { bridgeMac: mac, ipv6 } = memberAddresses(mesh.network, 'host0');
      const state = this.#selfStates[mesh.network.id] ?? AGENT_SILENT;
      return { network: mesh.network, state, self: { mac, ipv6 }, members: mesh.members() };
    });
  }

  async close(): Promise<void> {
    await this.#lastChange;
    for (const mesh of this.#meshes.values()) mesh.close();
  }

  #withChannel(node: NodeView): NodeView {
    if (node.machine === undefined || this.#channelOf === undefined) return node;
    return { ...node, channel: this.#channelOf(node.machine) };
  }

  #joins(): JoinView[] {
    const { joins, segments } = this.host0State;
    return joins.map((join) => {
      const isSegment = segments.some(({ device, subnet }) => device === join.device && subnet === join.subnet);
      return { ...join, admits: isSegment ? this.#admission() : 'none' };
    });
  }

  #admission(): Admission {
    return admissionInForce(this.#input.admission, this.host0State.machineNames.size);
  }

  #self(): NodeView {
    const { name } = this.#input;
    const meshes = this.meshes.map(({ network }) => {
      const { bridgeMac: mac, ipv6 } = memberAddresses(network, 'host0');
      return {
        network: network.id,
        name: network.name,
        mac,
        ipv6,
        state: this.#selfStates[network.id] ?? AGENT_SILENT,
      };
    });
    const ipv4 = this.host0State.addressFor(undefined);
    return { name, role: 'host0', online: true, ipv4, lastSeenMsAgo: 0, meshes };
  }

  /** Never rejects: a mesh whose members cannot be read keeps trying, and serves no list until then. */
  async #takeUp(networks: readonly Mesh[]): Promise<void> {
    const wanted = new Map(networks.map((network) => [network.id, network]));
    for (const mesh of this.meshes) {
      const network = wanted.get(mesh.network.id);
      const change = network && networkChange(mesh.network, network);
      if (network === undefined || change === 'join') await this.#remove(mesh);
      else if (change !== 'none') this.#redefine(mesh, network);
    }
    const added = networks.filter(({ id }) => !this.#meshes.has(id)).map((network) => this.#add(network));
    this.#meshChanges.emit(this.meshes);
    await Promise.all(added.map((mesh) => mesh.start()));
    this.#networksKnown = true;
    this.#feed.renew();
  }

  #add(network: Mesh): Membership {
    const mesh: Membership = new Membership({
      ...this.#input,
      network,
      admit: (applicant) =>
        admit(applicant, {
          admission: this.#admission(),
          isNamed: (id) => this.host0State.machineNames.has(id),
        }),
      proofs: this.#proofs,
      mustProve: this.#input.admission === 'token',
      machines: () => this.host0State.machineNames.keys(),
      machineNamed: (name) => this.host0State.machineNamed(name),
      hears: () => this.#descriptors?.hears() ?? true,
      elsewhere: () => this.meshes.filter((other) => other !== mesh).flatMap((other) => [...other.records]),
      host0AddressFor: (viewer) => this.host0State.addressFor(viewer),
      subnets: () => this.host0State.subnets,
      onChange: (change) => {
        this.#feed.changed(network.id, change);
        if (change.type !== 'leave') this.#noteRecords(mesh, change.member.ipv6);
      },
      onLoad: () => {
        this.#feed.renew();
        this.#noteRecords(mesh);
      },
    });
    this.#meshes.set(network.id, mesh);
    this.#input.journal.record(networkAdded(network));
    return mesh;
  }

  /** Tells where members are: the one with this address, or all. */
  #noteRecords(mesh: Membership, only?: Ipv6): void {
    const { places } = this.#input;
    if (places === undefined) return;
    for (const record of mesh.records) if (only === undefined || record.ipv6 === only) places.take(record);
  }

  #redefine(mesh: Membership, network: Mesh): void {
    mesh.redefine(network);
    this.#input.journal.record({ kind: 'network changed', message: network.name, network: network.id });
  }

  async #remove(mesh: Membership): Promise<void> {
    const { journal } = this.#input;
    const { id, name } = mesh.network;
    this.#meshes.delete(id);
    journal.record({ kind: 'network removed', message: name, network: id });
    await mesh.forget().catch((thrown: unknown) => journal.failure('members not forgotten', thrown, { network: id }));
  }

  #assignment(): Assignment | undefined {
    const { meshes } = this;
    if (!this.#networksKnown || meshes.some(({ loaded }) => !loaded)) return undefined;
    const findings = this.#descriptors?.health().filter(({ severity }) => severity === 'error') ?? [];
    return { ...assignmentOf(this.#version(), meshes, this.host0State.segments, this.host0State.nics), findings };
  }

  #version(): MembershipVersion {
    const loaded = this.meshes.filter((mesh) => mesh.loaded);
    return { epoch: this.#input.store.epoch, revision: Math.max(0, ...loaded.map(({ version }) => version.revision)) };
  }

  /** The findings of host0 and its parts. */
  health(): readonly Finding[] {
    const networks = this.meshes.map(({ network }) => network);
    return [
      ...this.#fileFindings,
      ...(this.host0State.segments.length === 0 ? [noSegment(this.host0State)] : []),
      ...this.host0State.findings,
      ...(this.#descriptors?.health() ?? []),
      ...(this.#feed.listeners === 0 ? [AGENT_AWAY] : []),
      ...this.meshes.filter(({ loaded }) => !loaded).map(({ network }) => membersUnread(network)),
      ...failedNetworks(networks, this.#selfStates),
      ...this.#parts.flatMap((part) => part.health()),
      ...this.#input.journal.faults.health(),
      ...this.meshes.flatMap((mesh) =>
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
