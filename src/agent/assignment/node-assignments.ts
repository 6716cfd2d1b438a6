/**
 * What host0 gives this node beside the meshes of its files: takes assignments, keeps them on disk, and tells how each object is.
 * The last assignment stays in force while host0 is away, and from the first moment after a restart.
 */
import { createHash } from 'node:crypto';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { Network } from '../../model/network/network.ts';
import type { NetworkId } from '../../model/network/number.ts';
import { Signal, type Subscribable } from '../../model/signal.ts';
import { type Finding, findingOf } from '../../protocol/documents/finding.ts';
import { formatVersion, type NetworkState } from '../../protocol/documents/membership.ts';
import {
  type AssignmentAnswer,
  NODE_ASSIGNMENT_FORMAT,
  type NodeAttachment,
  type NodeStatus,
  type ObjectState,
  type ObjectStatus,
} from '../../protocol/documents/node-assignment.ts';
import type { AssignmentView } from '../../protocol/documents/views.ts';
import type { AssignedWorkload } from '../../protocol/documents/workload/assigned-workload.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { readNodeAssignment } from '../../protocol/shapes/node-assignment-shape.ts';
import type { AssignedAgent, AssignedRuns, GroupListener, LocalPort, PortState } from './assigned-agent.ts';
import { type AssignedObjects, NOTHING_ASSIGNED, orphansOf, withAssignment } from './assigned-objects.ts';
import type { LastAssignment } from './last-assignment.ts';
import { type JudgedGiven, judgeGiven } from './node-document.ts';
import type { NetworkServersView, StateNow } from './object-state.ts';
import { givenState, notSupported, refusedState, serviceState, workloadState } from './object-state.ts';
import { OwnPeers } from './own-peers.ts';
import { vtepsOf } from './own-vteps.ts';

/** A network that host0 has given, and how it is on this node. */
export interface GivenNetwork {
  readonly attachment: NodeAttachment;
  readonly state: NetworkState;
  /** Where the VTEP of this node is, if it has a source of its own. */
  readonly vtep?: Ipv4 | Ipv6 | undefined;
}

/** What the assignments of a node need. */
export interface NodeAssignmentsInput {
  readonly machine: MachineWord;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly last: Pick<LastAssignment, 'kept' | 'findings' | 'load' | 'keep' | 'close'>;
  /** The networks of the node's own files. They win for their number, name and devices. */
  readonly fileNetworks: () => readonly Network[];
}

/** Why a port is not plugged whose network the node does not have. */
export const NETWORK_NOT_GIVEN = 'host0 has not given this network yet';

const AGENT_STARTING = 'the agent is starting';
const SAID_HEX = 16;

/** Keeps one node's assignment. Call `load` first, and `serve` when the agent is there. */
export class NodeAssignments {
  readonly #input: NodeAssignmentsInput;
  readonly #changes = new Signal<void>();
  /** Emits when the status may have changed. */
  readonly changes: Subscribable<void> = this.#changes;
  #agent: AssignedAgent | undefined;
  #runner: AssignedRuns | undefined;
  #servers: NetworkServersView | undefined;
  #listener: GroupListener | undefined;
  #objects: AssignedObjects = NOTHING_ASSIGNED;
  /** The epoch of the assignment that was on the disk at the start. */
  #loadedEpoch: string | undefined;
  #isFresh = false;
  #refused: MeshError | undefined;
  /** What the node can have, and what that was derived from. */
  #usable: Judgement | undefined;
  readonly #peers: OwnPeers;
  /** Since when an object has been pending. */
  readonly #pendingSinceMs = new Map<string, number>();
  #management = (): NetworkId | undefined => undefined;
  readonly #loaded = Promise.withResolvers<void>();
  #isLoaded = false;
  #taking: Promise<unknown> = this.#loaded.promise;

  constructor(input: NodeAssignmentsInput) {
    this.#input = input;
    const onForgotten = () => {
      this.#usable = undefined;
      void this.#agent?.takeUp();
    };
    this.#peers = new OwnPeers({ ...input, onForgotten });
  }

  /** Reads the assignment of before from the disk. Never rejects. */
  async load(): Promise<void> {
    this.#objects = await this.#input.last.load();
    this.#loadedEpoch = this.#objects.version?.epoch;
    this.#isLoaded = true;
    this.#loaded.resolve();
  }

  /** Begins to take assignments for this agent. */
  serve(agent: AssignedAgent): void {
    this.#agent = agent;
  }

  /** Has workloads run by this part of the agent. Without it they have the state MESH_NOT_SUPPORTED. */
  runWith(runner: AssignedRuns): void {
    this.#runner = runner;
  }

  /** Has this part of the agent listen in the multicast groups of its networks. */
  listenWith(listener: GroupListener): void {
    this.#listener = listener;
  }

  /** Has services run by this part of the agent. Without it they have the state MESH_NOT_SUPPORTED. */
  serveWith(servers: NetworkServersView): void {
    this.#servers = servers;
  }

  /** @param management the mesh of a file over which host0 is heard; undefined when there is none */
  managedBy(management: () => NetworkId | undefined): void {
    this.#management = management;
  }

  /** Tells that the state of an object or a port may have changed. */
  changed(): void {
    this.#changes.emit();
  }

  /** Networks that host0 has given and no file has, with the other nodes that hold them. The same list until it changes. */
  get attachments(): readonly NodeAttachment[] {
    return this.#judged().given.attachments;
  }

  /** What host0 has given and this node can have. The same object until it changes. */
  get given(): JudgedGiven {
    return this.#judged().given;
  }

  /** All networks that host0 has given and no file has, each with its state; also one that cannot be beside another. */
  networkStates(): readonly GivenNetwork[] {
    const { attachments, refusedNetworks } = this.given;
    const usable = attachments.map((attachment): GivenNetwork => {
      const state = this.#agent?.stateOf(attachment.network) ?? { phase: 'pending', why: AGENT_STARTING };
      return { attachment, state, vtep: this.#agent?.vtepOf(attachment.network) };
    });
    const others = Array.from(this.#objects.networks.values(), ({ attachment }) => this.#peers.of(attachment));
    const failed = others.flatMap((attachment): GivenNetwork[] => {
      const error = refusedNetworks.get(attachment.network.id);
      return error === undefined ? [] : [{ attachment, state: { phase: 'failed', error: error.toJSON() } }];
    });
    return [...usable, ...failed];
  }

  /** The workloads that host0 has given, orphans too: those stay as they are. A new list after each assignment. */
  get workloads(): readonly AssignedWorkload[] {
    return Array.from(this.#objects.workloads.values(), ({ workload }) => workload);
  }

  /**
   * Whether an item of a network that is not assigned is left over, so that it may go. Before an assignment has come, and after
   * one of another epoch than the one that this process found on the disk, nobody knows where such an item comes from.
   */
  get isComplete(): boolean {
    return this.#isFresh && this.#objects.version?.epoch === this.#loadedEpoch;
  }

  /** Whether the assignment in force has come from host0 since this process started, and not from the disk. */
  get isFromHost0(): boolean {
    return this.#isFresh;
  }

  /** Whether an assignment is in force, and where it came from. */
  get view(): AssignmentView {
    const { version } = this.#objects;
    if (version === undefined) return { state: 'pending', why: 'no assignment yet' };
    return { state: 'in force', version, from: this.#isFresh ? 'host0' : 'disk', kept: this.#input.last.kept };
  }

  /** Takes an assignment, after `load` and one after the other: resolves when it is in force, and on the disk if the disk takes it. */
  take(text: string): Promise<AssignmentAnswer> {
    const taking = this.#taking.then(() => this.#takeNow(text));
    this.#taking = taking.catch(() => undefined);
    return taking;
  }

  status(): NodeStatus {
    const { version, term, networks, revisions } = this.#objects;
    const epochsBefore = [...revisions.keys()].filter((epoch) => epoch !== version?.epoch);
    const digests: Record<NetworkId, string> = {};
    for (const [id, { digest }] of networks) digests[id] = digest;
    const given = Array.from(this.#objects.ports.values(), ({ port }) => port);
    return {
      format: NODE_ASSIGNMENT_FORMAT,
      said: this.#said,
      ...(version !== undefined && { assignment: version }),
      ...(term !== undefined && { term }),
      epochsBefore,
      kept: this.#input.last.kept,
      digests,
      objects: this.#states(),
      ports: [...this.#ownPorts, ...given],
      orphans: orphansOf(this.#objects),
      ...this.#running(),
      ...vtepsOf(this.attachments, (network) => this.#agent?.vtepOf(network)),
    };
  }

  /** What is not well with the assignment: files, a refused document, objects that this version cannot have, orphans. */
  health(): readonly Finding[] {
    const failed = this.#states().flatMap((status): Finding[] => {
      if (status.state !== 'failed' || status.code !== 'MESH_NOT_SUPPORTED') return [];
      const { code, message, remedy, kind, id } = status;
      return [{ code, severity: 'error', object: `${kind} ${id}`, message, remedy }];
    });
    const orphans = orphansOf(this.#objects).map(
      ({ kind, id, epoch }): Finding => ({
        code: 'MESH_ASSIGNMENT_ORPHAN',
        severity: 'warning',
        object: `${kind} ${id}`,
        message: `the ${kind} ${id} was assigned under the epoch ${epoch}, and host0's present store does not know it: it stays as it is`,
        remedy:
          'On host0, take it up again with `mesh node orphans adopt`, or let it go with `mesh node orphans release`.',
      }),
    );
    const refused = this.#refused === undefined ? [] : [findingOf(this.#refused, { object: 'host0' })];
    return [...this.#input.last.findings, ...refused, ...failed, ...orphans];
  }

  /** Writes what is not on the disk yet. */
  async close(): Promise<void> {
    if (this.#isLoaded) await this.#taking;
    this.#peers.close();
    await this.#input.last.close();
  }

  /** The ports of the administrator, as host0 is told of them. */
  get #ownPorts(): Omit<LocalPort, 'state'>[] {
    return (this.#agent?.localPorts() ?? []).map(({ link, network }) => ({ link, network }));
  }

  get #said(): string {
    return createHash('sha256').update(JSON.stringify(this.#ownPorts)).digest('hex').slice(0, SAID_HEX);
  }

  /** Whether a port was plugged into the network that host0 had not heard of when it composed the assignment. */
  #isUnheard(heard: string | undefined): (network: NetworkId) => boolean {
    if (heard === undefined || heard === this.#said) return () => false;
    const networks = new Set(this.#ownPorts.map(({ network }) => network));
    return (network) => networks.has(network);
  }

  async #takeNow(text: string): Promise<AssignmentAnswer> {
    const { journal, last } = this.#input;
    const before = this.#objects;
    try {
      const reading = readNodeAssignment(text);
      this.#objects = withAssignment(before, reading, this.#isUnheard(reading.assignment.heard));
    } catch (thrown) {
      const error = MeshError.from(thrown);
      // host0 sends an incomplete one again in full, at once.
      if (error.code !== 'MESH_ASSIGNMENT_INCOMPLETE' && this.#refused?.message !== error.message) {
        this.#refused = error;
        journal.failure('assignment refused', error, { level: 'error' });
        this.changed();
      }
      return { accepted: false, error: error.toJSON() };
    }
    this.#refused = undefined;
    this.#isFresh = true;
    this.#peers.taken(before, this.#objects);
    this.#record(before, this.#objects);
    this.changed();
    // A port that goes is taken off first: after a crash in between, the assignment on the disk still has the port.
    if ([...before.ports.keys()].some((link) => !this.#objects.ports.has(link))) await this.#agent?.takeUp();
    await Promise.all([last.keep(this.#objects), this.#agent?.takeUp()]);
    const { version } = this.#objects;
    if (version === undefined) throw new TypeError('an assignment has a version');
    this.changed();
    return { accepted: true, version, kept: last.kept };
  }

  #record(before: AssignedObjects, { networks, version }: AssignedObjects): void {
    const { journal } = this.#input;
    const told = version === undefined ? '' : ` (assignment ${formatVersion(version)})`;
    for (const [id, { attachment }] of networks) {
      if (!before.networks.has(id))
        journal.record({ kind: 'network added', message: `${attachment.network.name}${told}`, network: id });
    }
    for (const [id, { attachment }] of before.networks) {
      if (!networks.has(id))
        journal.record({ kind: 'network removed', message: `${attachment.network.name}${told}`, network: id });
    }
  }

  /** A network that cannot be beside one of a file, or beside an older one, is left out: the file wins, or the older one. */
  #judged(): Judgement {
    const objects = this.#objects;
    const files = this.#input.fileNetworks();
    const management = this.#management();
    const known = this.#usable;
    if (known?.objects === objects && known.files === files && known.management === management) return known;
    const attachments = Array.from(objects.networks.values(), ({ attachment }) => this.#peers.of(attachment));
    const ports = Array.from(objects.ports.values(), ({ port }) => port);
    this.#usable = { objects, files, management, given: judgeGiven(files, { attachments, ports }, management) };
    return this.#usable;
  }

  #running(): Pick<NodeStatus, 'runs' | 'capacity' | 'groups'> {
    const [capacity, runs, groups] = [this.#runner?.capacity(), this.#runner?.runs(), this.#listener?.hearings];
    return { ...(runs && { runs }), ...(capacity && { capacity }), ...(groups && { groups }) };
  }

  #states(): ObjectStatus[] {
    const { refusedNetworks, refusedPorts } = this.given;
    const known = new Set<string>();
    const aged = (kind: ObjectStatus['kind'], id: string, state: StateNow): ObjectStatus => {
      known.add(`${kind} ${id}`);
      return { kind, id, ...this.#aged(`${kind} ${id}`, state) };
    };
    const networks = Array.from(this.#objects.networks.values(), ({ attachment: { network } }) => {
      const error = refusedNetworks.get(network.id);
      const state = error === undefined ? this.#stateOf(network) : refusedState(error);
      return aged('network', network.id, state);
    });
    const unsupported = this.#objects.unsupported.map(({ kind, id, why }) =>
      aged(kind, id, notSupported(kind, id, why)),
    );
    const services = Array.from(this.#objects.networks.values(), ({ attachment: { network, services: all } }) =>
      all.map((service) =>
        aged('service', service.id, serviceState(network, service, this.#stateOf(network), this.#servers)),
      ),
    );
    const ports = (this.#agent?.localPorts() ?? []).map(({ link, network, state }) => {
      const isGiven = this.#hasNetwork(network);
      const why = isGiven ? 'the interface is not on its bridge yet' : NETWORK_NOT_GIVEN;
      return aged('port', link, state === 'plugged' ? { state: 'ready' } : { state: 'pending', why });
    });
    const given = Array.from(this.#objects.ports.values(), ({ port }) => {
      const starting: PortState = { state: 'wanted', why: AGENT_STARTING };
      const { port: detail, ...state } = this.#agent?.portState(port) ?? starting;
      const refusal = refusedPorts.get(port.link)?.error;
      if (refusal !== undefined) return aged('port', port.link, refusedState(refusal));
      const now = aged(
        'port',
        port.link,
        state.state === 'plugged' ? { state: 'ready' } : { ...state, state: 'pending' },
      );
      return detail === undefined ? now : { ...now, port: detail };
    }).filter(({ id }) => ports.every((own) => own.id !== id));
    const runs = new Map(this.#runner?.runs().map((run) => [run.id, run]));
    const workloads = this.workloads.map(({ id }) =>
      aged('workload', id, workloadState(id, runs.get(id), this.#runner !== undefined)),
    );
    for (const key of this.#pendingSinceMs.keys()) if (!known.has(key)) this.#pendingSinceMs.delete(key);
    return [
      ...networks.filter(({ id }) => unsupported.every((other) => other.id !== id)),
      ...unsupported,
      ...services.flat(),
      ...ports,
      ...given,
      ...workloads.filter(({ id }) => unsupported.every((other) => other.id !== id)),
    ];
  }

  #hasNetwork(nameOrId: string): boolean {
    const networks = [...this.#input.fileNetworks(), ...this.attachments.map(({ network }) => network)];
    return networks.some(({ id, name }) => id === nameOrId || name === nameOrId);
  }

  #stateOf(network: Network): StateNow {
    return this.#agent === undefined
      ? { state: 'pending', why: AGENT_STARTING }
      : givenState(this.#agent.stateOf(network));
  }

  #aged(key: string, state: StateNow): ObjectState {
    if (state.state !== 'pending') {
      this.#pendingSinceMs.delete(key);
      return state;
    }
    const nowMs = this.#input.clock.nowMs();
    const sinceMs = this.#pendingSinceMs.get(key) ?? nowMs;
    this.#pendingSinceMs.set(key, sinceMs);
    return { ...state, ageSec: Math.floor((nowMs - sinceMs) / 1000) };
  }
}

/** Which of the assigned networks the node can have beside those of its files. */
interface Judgement {
  readonly objects: AssignedObjects;
  readonly files: readonly Network[];
  readonly management: NetworkId | undefined;
  readonly given: JudgedGiven;
}
