/**
 * What each node is given: the networks that it holds, with the other nodes that hold them, and the ports that host0 has placed on
 * it. A node holds a network for its ports, those of its administrator and those of host0, or because the network spans the node.
 *
 * Only the documents of nodes that a change concerns are composed again. A node that gives up a network leaves the flood lists of
 * the others before it loses the network itself, and a port that moves is on its new node before the old one loses it: host0 waits
 * for the answers of the others whose channel stands, at most 2 s.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Alarm } from '../../model/clock.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { Network } from '../../model/network/network.ts';
import type { NetworkId } from '../../model/network/number.ts';
import { Signal, type Subscribable } from '../../model/signal.ts';
import type { Finding, HealthSource } from '../../protocol/documents/finding.ts';
import {
  NODE_ASSIGNMENT_FORMAT,
  type NodeAssignment,
  type NodeAttachment,
  type NodeOrphan,
  type ObjectStatus,
  type OrphanName,
} from '../../protocol/documents/node-assignment.ts';
import { Collection } from '../../store/collection.ts';
import type { NetworkUse } from '../catalogue/network-use.ts';
import { KeyedMutex } from '../membership/keyed-mutex.ts';
import type { PortChange } from '../ports/port-book.ts';
import { assignedPort, type PlacedPort } from '../ports/port-record.ts';
import { vtepChanges } from './assigned-peers.ts';
import type { AssignmentsInput } from './assignments-input.ts';
import type { GivenCatalogue, GivenNetworks } from './given-network.ts';
import { HolderIndex } from './holder-index.ts';
import { HOLDINGS, type HoldingRecord, portsOf, reportedHolding, sameHolding, withReleased } from './holding-record.ts';
import { LeaveOrder } from './leave-order.ts';
import { MovingPorts } from './moving-ports.ts';
import type { SpannedNode } from './network-span.ts';
import type { NodePlace } from './node-places.ts';
import { NodeReports, type ReportedStatus } from './node-reports.ts';
import { OrphanBook } from './orphan-book.ts';
import { PeerLists } from './peer-lists.ts';
import { type ReachedNode, usesOfNetworks } from './uses-of-networks.ts';

/** Segments and NICs are those of host0, whose agent has them from its own stream. */
const NOTHING_ELSE = { segments: [], nics: [] } as const;
/** How long to wait before the next attempt to read the store. */
const RETRY_MS = 1_000;

/** Composes and keeps the assignments of all nodes. */
export class Assignments implements HealthSource {
  readonly #input: AssignmentsInput;
  /** Undefined until the networks have been read. */
  #given: GivenNetworks | undefined;
  readonly #records: Collection<HoldingRecord>;
  readonly #mutex = new KeyedMutex<MachineWord>();
  readonly #changes = new Signal<MachineWord>();
  #holdings: Map<MachineWord, HoldingRecord> | undefined;
  #revision = 0;
  #sequence = 0;
  #retry: Alarm | undefined;
  readonly #reached = new Map<MachineWord, ReachedNode>();
  readonly #uses = new Signal<void>();
  /** Emits when nodes have said which networks they have. */
  readonly uses: Subscribable<void> = this.#uses;
  readonly orphanBook = new OrphanBook();
  readonly #index = new HolderIndex();
  readonly #leaving: LeaveOrder<NetworkId>;
  readonly #placed: MovingPorts;
  readonly reports = new NodeReports();
  readonly knowsNodes = (): boolean => this.#holdings !== undefined;
  readonly #peers: PeerLists;
  readonly #composed = new Map<MachineWord, { readonly parts: unknown; readonly assignment: NodeAssignment }>();
  /** In which order the assignments were composed. */
  readonly #sequences = new WeakMap<NodeAssignment, number>();

  constructor(input: AssignmentsInput) {
    this.#input = input;
    this.#records = new Collection(input.store, HOLDINGS);
    this.#leaving = new LeaveOrder(input.clock, (machine) => this.#tell([machine]));
    this.#placed = new MovingPorts(input.clock, input.ports, (machine) => {
      this.#refresh(this.#derive(machine), [], [machine]);
    });
    this.#peers = new PeerLists({
      ...input,
      network: (id) => this.#index.network(id),
      holdersOf: (id) => this.#index.holdersOf(id),
      serves: (id, machine) => this.#index.reasonsOf(machine, id).includes('service'),
      placeOf: (machine) => this.#placeOf(machine),
      vtepsOf: (machine) => this.#holdings?.get(machine)?.vteps,
    });
    input.hostParts?.changes.subscribe((machine) => this.#tell([machine]));
    input.workloads?.changes.subscribe((machines) => this.#holdings && this.#tell(machines));
    input.services?.changes.subscribe(() => this.#machines().forEach((machine) => void this.#rolesChanged(machine)));
    input.ports.changes.subscribe((change) => this.#portChanged(change));
    input.roles.changes.subscribe((machine) => this.#rolesChanged(machine));
    input.places.changes.subscribe((machine) => this.#placeChanged(machine));
  }

  /** Reads the holdings, and tries again until that succeeds: before, no node is given anything. Never rejects. */
  async start(): Promise<void> {
    try {
      const { records, revision } = await this.#records.list();
      this.#holdings = new Map(records.map(({ record }) => [record.machine, record]));
      for (const { record } of records) this.orphanBook.recall(record.machine, record.orphans ?? []);
      this.#revision = revision;
      this.#networksChanged();
    } catch (thrown) {
      this.#input.journal.failure('holdings not read', thrown);
      this.#retry = this.#input.clock.after(RETRY_MS, () => void this.start());
    }
  }

  close(): void {
    this.#retry?.cancel();
    this.#leaving.close();
    this.#placed.close();
  }

  /** Takes the networks that nodes can be given, as they are now. */
  setNetworks(given: GivenNetworks): void {
    this.#given = given;
    this.#networksChanged();
  }

  /** Takes networks that are new, gone or others. Only the nodes that they concern are looked at. */
  changeNetworks(changed: ReadonlySet<NetworkId> | 'all', catalogue: GivenCatalogue): void {
    const isFirst = this.#holdings === undefined || this.#given === undefined;
    this.#given = catalogue.given;
    if (changed === 'all' || isFirst) this.#networksChanged();
    else this.#networksAre(changed, this.#index.changeNetworks(changed, catalogue, this.#input.services));
  }

  /** What the node should have; undefined until host0 has read what all nodes hold. */
  assignmentOf(machine: MachineWord): NodeAssignment | undefined {
    const given = this.#given;
    if (this.#holdings === undefined || given === undefined) return undefined;
    const ids = [...this.#index.heldBy(machine), ...this.#leaving.leftBy(machine)];
    const attachments = ids.flatMap((id) => this.#attachment(machine, this.#index.network(id)) ?? []);
    const { ports: book, workloads, services } = this.#input;
    const revisions = [book, workloads, services].map((part) => part?.revision ?? 0);
    const revision = Math.max(this.#revision, given.revision, ...revisions);
    const { current: epoch, term } = this.#input.epoch;
    const version = { epoch, revision };
    const released = this.#holdings.get(machine)?.released ?? [];
    const heard = this.reports.saidBy(machine);
    const ports = this.#placed.on(machine).map(assignedPort);
    const told = { ...(term !== undefined && { term }), ...(heard !== undefined && { heard }) };
    const parts = { ...told, attachments, ports, workloads: workloads?.on(machine) ?? [], released };
    const before = this.#composed.get(machine);
    if (before !== undefined && isDeepStrictEqual(before.parts, parts)) return before.assignment;
    const assignment = { format: NODE_ASSIGNMENT_FORMAT, ...version, ...parts, ...NOTHING_ELSE };
    this.#composed.set(machine, { parts, assignment });
    this.#sequences.set(assignment, ++this.#sequence);
    return assignment;
  }

  /** The nodes that hold a network, host0 among them. */
  holdersOf(network: NetworkId): readonly MachineWord[] {
    return [...this.#index.holdersOf(network)];
  }

  /** How a network is used, for the catalogue. */
  get use(): NetworkUse {
    return usesOfNetworks({
      network: (id) => this.#index.network(id),
      holdings: () => this.#holdings?.values(),
      placed: this.#input.ports,
      networksOf: (machine) => this.reports.networksOf(machine),
      reached: (machine) => this.#reached.get(machine),
      isOrphan: (number) => this.orphanBook.hasNumber(number),
    });
  }

  /** Calls `listener` with each node whose assignment has changed. @returns a function that ends the subscription */
  subscribe(listener: (machine: MachineWord) => void): () => void {
    return this.#changes.subscribe(listener);
  }

  /** A node's channel stands: from now on host0 waits for its answers. */
  opened(machine: MachineWord, node: ReachedNode): void {
    this.#reached.set(machine, node);
    this.#input.workloads?.opened(machine);
    this.#input.routers?.opened(machine);
    for (const order of [this.#leaving, this.#placed]) order.opened(machine);
  }

  /** The channel has ended. Ports leave before networks. @param silentMs how long nothing had been heard of the node before */
  closed(machine: MachineWord, silentMs = 0): void {
    this.#reached.delete(machine);
    this.reports.closed(machine);
    this.#input.workloads?.closed(machine);
    this.#input.routers?.closed(machine, silentMs);
    for (const order of [this.#placed, this.#leaving]) order.closed(machine);
  }

  /** The node has taken an assignment, or refused it. */
  answered(machine: MachineWord, assignment: NodeAssignment): void {
    const sequence = this.#sequences.get(assignment) ?? 0;
    // A port leaves its old node before the network does.
    this.#placed.confirmed(machine, sequence);
    this.#leaving.confirmed(machine, sequence);
  }

  /**
   * Takes a node's status: its ports, its orphans, its VTEPs, and how its objects are.
   * @throws MESH_STORE_BROKEN when the store did not take it; the next status tries again
   */
  async reported(machine: MachineWord, status: ReportedStatus): Promise<void> {
    if (await this.#input.epoch.check(machine, status)) this.#epochChanged();
    this.orphanBook.take(machine, status.orphans, this.#input.epoch.current);
    const hasSaid = this.reports.take(machine, status);
    this.#input.workloads?.reported(machine, status);
    this.#uses.emit();
    await this.#change(machine, (before) => reportedHolding(before, status));
    if (hasSaid && this.#holdings !== undefined) this.#tell([machine]);
  }

  /** All orphans that nodes have reported. */
  orphans(): readonly NodeOrphan[] {
    return this.orphanBook.named((machine) => this.nameOf(machine));
  }

  /**
   * The key of a machine was revoked: what the machine has reported counts no more. Its orphans are released, so that the machine
   * lets them go if it comes back with another key, and others can have their numbers. Never rejects.
   */
  async revoked(machine: MachineWord): Promise<void> {
    const orphans = this.orphanBook.keptOf(machine);
    this.orphanBook.forget(machine);
    this.#uses.emit();
    if (orphans.length === 0) return;
    await this.#change(machine, (before) => ({ ...before, released: withReleased(before.released, orphans) })).catch(
      (thrown: unknown) => this.#input.journal.failure('orphans not released', thrown, { object: machine }),
    );
  }

  /** All nodes that have had a channel, each with whether its channel stands. */
  get nodes(): readonly (SpannedNode & { readonly isReached: boolean })[] {
    const known = this.#holdings?.keys() ?? [];
    return Array.from(known, (machine) => ({ ...this.#spanned(machine), isReached: this.#reached.has(machine) }));
  }

  /** The name of a node, for people. */
  nameOf(machine: MachineWord): string {
    return this.#holdings?.get(machine)?.name ?? machine;
  }

  /** The node of this name or machine id that has had a channel; undefined if there is none. */
  nodeCalled(wanted: string): Pick<HoldingRecord, 'machine' | 'name'> | undefined {
    const holdings = [...(this.#holdings?.values() ?? [])];
    return holdings.find(({ name }) => name === wanted) ?? holdings.find(({ machine }) => machine === wanted);
  }

  /** How a port is on its node; undefined while the node's channel does not stand, or has not told. */
  portState({ machine, link }: Pick<PlacedPort, 'machine' | 'link'>): ObjectStatus | undefined {
    return this.reports.stateOf(machine, 'port', link);
  }

  health(): readonly Finding[] {
    return [...this.orphanBook.findings((machine) => this.nameOf(machine)), ...this.#input.epoch.health()];
  }

  /**
   * Lets an orphan of a node go: the node's next assignment says so.
   * @throws MESH_OBJECT_UNKNOWN when the node has reported no such orphan
   */
  async release(machine: MachineWord, name: OrphanName): Promise<void> {
    const gone = [this.orphanBook.find(machine, name)];
    await this.#change(machine, (before) => ({ ...before, released: withReleased(before.released, gone) }));
  }

  /** Changes a holding in the store first, and then here. One change of a node after the other. */
  async #change(machine: MachineWord, change: (before: HoldingRecord) => HoldingRecord): Promise<void> {
    await this.#mutex.take(machine, async () => {
      const place = this.#input.places.placeOf(machine);
      const known = this.#holdings?.get(machine);
      const named: HoldingRecord = {
        ...(known ?? { machine, name: machine, ports: [], released: [] }),
        ...(place !== undefined && { name: place.name, underlay: place.underlay }),
      };
      const { orphans: _, ...changed } = change(named);
      const orphans = this.orphanBook.keptOf(machine);
      const now = { ...changed, ...(orphans.length > 0 && { orphans }) };
      if (this.#holdings === undefined || sameHolding(known, now)) return;
      const { revision } = await this.#input.store.txn([], [this.#records.put(now)]);
      this.#revision = Math.max(this.#revision, revision);
      this.#holdings.set(machine, now);
      const isElsewhere = known?.underlay !== now.underlay || known?.name !== now.name;
      const networks = [...this.#derive(machine), ...vtepChanges(known, now)];
      this.#refresh(networks, isElsewhere ? [machine] : [], [machine]);
    });
  }

  #networksChanged(): void {
    const given = this.#given;
    if (this.#holdings === undefined || given === undefined) return;
    this.#networksAre(this.#index.setNetworks(given.networks), 'all');
  }

  /** @param concerned the nodes whose networks may be others. Those that give up a network still have it, and are told, too. */
  #networksAre(changed: ReadonlySet<NetworkId>, concerned: ReadonlySet<MachineWord> | 'all'): void {
    const machines = concerned === 'all' ? this.#machines() : concerned;
    const networks = new Set([...changed, ...[...machines].flatMap((machine) => this.#derive(machine))]);
    const told = new Set(machines);
    for (const id of networks) {
      for (const machine of this.#leaving.leaving(id)) told.add(machine);
      if (this.#index.network(id) !== undefined) continue;
      this.#peers.forget(id);
      this.#leaving.cancelAll(id);
    }
    this.#refresh(networks, [], told);
  }

  #placeChanged(machine: MachineWord | undefined): void {
    if (this.#holdings === undefined) return;
    if (machine === undefined) this.#refresh([], this.#machines(), this.#machines());
    else if (this.#holdings.has(machine)) this.#refresh([], [machine], [machine]);
  }

  #rolesChanged(machine: MachineWord): void {
    if (this.#holdings !== undefined) this.#refresh(this.#derive(machine), [], [machine]);
  }

  #portChanged(change: PortChange): void {
    if (this.#holdings === undefined) return;
    const machines = this.#placed.changed(change, this.#sequence);
    const networks = [...machines].flatMap((machine) => this.#derive(machine));
    // The peers in its network are told of its guest.
    this.#refresh([...networks, ...[change.before, change.after].flatMap((port) => port?.network ?? [])], [], machines);
  }

  /** All nodes that have reported, or have ports. */
  #machines(): ReadonlySet<MachineWord> {
    return new Set([...(this.#holdings?.keys() ?? []), ...this.#input.ports.all.map(({ machine }) => machine)]);
  }

  /** @returns the networks that the node began or ceased to hold */
  #derive(machine: MachineWord): NetworkId[] {
    const holding = this.#holdings?.get(machine);
    const held = [...(holding === undefined ? [] : portsOf(holding)), ...this.#placed.on(machine)];
    // A node that has never reported hears of its ports alone.
    const node = holding && this.#spanned(machine);
    const serves = (node && this.#input.services?.servedBy(node)) ?? [];
    const { began, ceased } = this.#index.derive({ machine, name: machine, ...node, serves, ports: held });
    for (const id of began) this.#leaving.cancel(id, machine);
    for (const id of ceased) this.#leaving.leave(id, machine, this.#index.holdersOf(id), this.#sequence);
    return [...began, ...ceased];
  }

  /**
   * Composes the peers of networks again, and tells the nodes that hold them.
   * @param moved nodes that are elsewhere: their networks have other peers, too
   * @param also nodes whose own assignment may be another one
   */
  #refresh(networks: Iterable<NetworkId>, moved: Iterable<MachineWord>, also: Iterable<MachineWord>): void {
    const concerned = new Set(networks);
    for (const machine of moved) for (const id of this.#index.heldBy(machine)) concerned.add(id);
    const nodes = new Set(also);
    for (const id of concerned) {
      this.#peers.refresh(id);
      for (const machine of this.#index.holdersOf(id)) nodes.add(machine);
    }
    this.#tell(nodes);
  }

  /** Each node is given its objects under the new epoch. */
  #epochChanged(): void {
    const composed = [...this.#composed.keys()];
    this.#composed.clear();
    if (this.#holdings === undefined) return;
    for (const machine of new Set([...composed, ...this.#machines()])) this.#changes.emit(machine);
  }

  /** Tells those nodes whose assignment is another one. */
  #tell(machines: Iterable<MachineWord>): void {
    for (const machine of machines) {
      const before = this.#composed.get(machine)?.assignment;
      if (this.assignmentOf(machine) !== before) this.#changes.emit(machine);
    }
  }

  #attachment(machine: MachineWord, network: Network | undefined): NodeAttachment | undefined {
    const peers = network && this.#peers.of(network, machine);
    if (network === undefined || peers === undefined) return undefined;
    // A node that gives the network up has no reason left.
    const reasons = this.#index.reasonsOf(machine, network.id);
    const services = this.#input.services?.on(network, this.#spanned(machine)) ?? [];
    return { network, reasons, peers, services, ...this.#input.hostParts?.partOf(network, machine) };
  }

  #spanned(machine: MachineWord): SpannedNode {
    return { machine, name: this.nameOf(machine), roles: this.#input.roles.of(machine) };
  }

  #placeOf(machine: MachineWord): NodePlace | undefined {
    const now = this.#input.places.placeOf(machine);
    if (now !== undefined) return now;
    const { name, underlay } = this.#holdings?.get(machine) ?? {};
    return name === undefined || underlay === undefined ? undefined : { name, underlay };
  }
}
