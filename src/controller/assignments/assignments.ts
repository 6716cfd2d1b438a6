/**
 * What each node is given: the networks that it holds, with the other nodes that hold them. A node holds a network for the ports
 * that its administrator plugged in, or because the network is meant for all nodes.
 *
 * Only the documents of nodes that a change concerns are composed again. A node that gives up a network leaves the others' flood
 * lists before it loses the network itself: host0 waits for the answers of those whose channel stands, at most 2 s.
 */
import { isDeepStrictEqual } from 'node:util';
import { type Ipv4, isIpv4 } from '../../model/address/ipv4.ts';
import type { Alarm, Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { Network } from '../../model/network/network.ts';
import type { NetworkId } from '../../model/network/number.ts';
import { Signal, type Subscribable } from '../../model/signal.ts';
import {
  type AttachmentPeers,
  type AttachmentReason,
  NODE_ASSIGNMENT_FORMAT,
  type NodeAssignment,
  type NodeAttachment,
  type NodeOrphan,
  type Orphan,
  type OrphanName,
} from '../../protocol/documents/node-assignment.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { Collection } from '../../store/collection.ts';
import type { Store } from '../../store/store.ts';
import type { NetworkUse } from '../catalogue/network-use.ts';
import { KeyedMutex } from '../membership/keyed-mutex.ts';
import type { HostAddresses } from '../pools/host-addresses.ts';
import { assignedPeers, PEERS_UNTOLD, vtepChanges } from './assigned-peers.ts';
import type { GivenNetworks } from './given-network.ts';
import { HolderIndex, isEverywhere } from './holder-index.ts';
import {
  HOLDINGS,
  type HoldingRecord,
  PORTS_OF_NODE_MAX,
  RELEASED_MAX,
  type ReportedPort,
  type ReportedStatus,
  sameHolding,
  sameOrphan,
} from './holding-record.ts';
import { LeaveOrder } from './leave-order.ts';
import type { NodePlace, NodePlaces } from './node-places.ts';

/** What assignments depend on. */
export interface AssignmentsInput {
  readonly clock: Clock;
  readonly journal: Journal;
  readonly store: Store;
  readonly places: Pick<NodePlaces, 'placeOf' | 'changes'>;
  /** host0's underlay address as a node at `viewer` reaches it. */
  readonly hostAddresses?: Pick<HostAddresses, 'partOf' | 'changes'>;
  readonly host0AddressFor: (viewer: Ipv4 | undefined) => Ipv4;
}

/** A node whose channel stands. */
export interface ReachedNode {
  /** Takes all ports of a network off the node. Rejects when the node does not do so. */
  unplug(network: Pick<Network, 'id' | 'name'>): Promise<void>;
}

/** Objects that host0 gives to no node yet. Segments and NICs are those of host0, whose agent has them from its own stream. */
const NOTHING_ELSE = { ports: [], workloads: [], segments: [], nics: [] } as const;
const RETRY_MS = 1_000;

/** Composes and keeps the assignments of all nodes. */
export class Assignments {
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
  /** The networks that each node has said to have from host0. */
  readonly #have = new Map<MachineWord, ReadonlySet<string>>();
  readonly #reached = new Map<MachineWord, ReachedNode>();
  readonly #uses = new Signal<void>();
  /** Emits when nodes have said which networks they have. */
  readonly uses: Subscribable<void> = this.#uses;
  readonly #orphans = new Map<MachineWord, readonly Orphan[]>();
  readonly #index = new HolderIndex();
  readonly #leaving: LeaveOrder;
  /** By network and host0's address as the reader reaches it. */
  readonly #peers = new Map<NetworkId, Map<Ipv4, AttachmentPeers>>();
  readonly #composed = new Map<MachineWord, { readonly parts: unknown; readonly assignment: NodeAssignment }>();
  /** In which order the assignments were composed. */
  readonly #sequences = new WeakMap<NodeAssignment, number>();

  constructor(input: AssignmentsInput) {
    this.#input = input;
    this.#records = new Collection(input.store, HOLDINGS);
    this.#leaving = new LeaveOrder(input.clock, (machine) => this.#tell([machine]));
    input.hostAddresses?.changes.subscribe((machine) => this.#tell([machine]));
    input.places.changes.subscribe((machine) => this.#placeChanged(machine));
  }

  /** Reads the holdings, and tries again until that succeeds: before, no node is given anything. Never rejects. */
  async start(): Promise<void> {
    try {
      const { records, revision } = await this.#records.list();
      this.#holdings = new Map(records.map(({ record }) => [record.machine, record]));
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
  }

  /** Takes the networks that nodes can be given, as they are now. */
  setNetworks(given: GivenNetworks): void {
    this.#given = given;
    this.#networksChanged();
  }

  /** What the node should have; undefined until host0 has read what all nodes hold. */
  assignmentOf(machine: MachineWord): NodeAssignment | undefined {
    const given = this.#given;
    if (this.#holdings === undefined || given === undefined) return undefined;
    const ids = [...this.#index.heldBy(machine), ...this.#leaving.leftBy(machine)];
    const attachments = ids.flatMap((id) => this.#attachment(machine, this.#index.network(id)) ?? []);
    const version = { epoch: this.#input.store.epoch, revision: Math.max(this.#revision, given.revision) };
    const parts = { attachments, released: this.#holdings.get(machine)?.released ?? [] };
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
    return {
      ports: (id) => {
        const network = this.#index.network(id);
        if (network === undefined) return [];
        return this.#portsOf(network).map(({ node, link }) => ({ node, interface: link }));
      },
      nodes: (id) => this.#nodesWith(id),
      isOrphan: (number) => {
        const id = `net-${number.toString(16)}`;
        return [...this.#orphans.values()].some((orphans) => orphans.some((orphan) => orphan.id === id));
      },
      unplug: (id) => this.#unplug(id),
    };
  }

  /** The ports that nodes have reported, each with the identifier or the name of its network. */
  ports(): readonly ReportedPort[] {
    return [...(this.#holdings?.values() ?? [])].flatMap(({ machine, name, ports }) =>
      ports.map((port) => ({ machine, node: name, ...port })),
    );
  }

  /** Calls `listener` with each node whose assignment has changed. @returns a function that ends the subscription */
  subscribe(listener: (machine: MachineWord) => void): () => void {
    return this.#changes.subscribe(listener);
  }

  /** A node's channel stands: from now on host0 waits for its answers. */
  opened(machine: MachineWord, node: ReachedNode): void {
    this.#reached.set(machine, node);
    this.#leaving.opened(machine);
  }

  closed(machine: MachineWord): void {
    this.#reached.delete(machine);
    this.#leaving.closed(machine);
  }

  /** A node that is not reached keeps its ports. Without their network, they wait for a network of that name. */
  async #unplug(id: NetworkId): Promise<void> {
    const network = this.#index.network(id);
    if (network === undefined) return;
    const machines = new Set(this.#portsOf(network).map(({ machine }) => machine));
    const asked = Array.from(machines, (machine) => this.#reached.get(machine)?.unplug(network));
    await Promise.allSettled(asked);
  }

  #portsOf({ id, name }: Network) {
    return this.ports().filter(({ network }) => network === id || network === name);
  }

  /** The node has taken an assignment, or refused it. */
  answered(machine: MachineWord, assignment: NodeAssignment): void {
    this.#leaving.confirmed(machine, this.#sequences.get(assignment) ?? 0);
  }

  /**
   * Takes a node's status: its ports and orphans.
   * @throws MESH_STORE_BROKEN when the store did not take it; the next status tries again
   */
  async reported(machine: MachineWord, status: ReportedStatus): Promise<void> {
    this.#orphans.set(machine, status.orphans);
    this.#have.set(machine, new Set(Object.keys(status.digests)));
    this.#uses.emit();
    const ports = status.ports.slice(0, PORTS_OF_NODE_MAX).map(({ link, network }) => ({ link, network }));
    const isOrphan = (name: OrphanName) => status.orphans.some((orphan) => sameOrphan(orphan, name));
    const { vteps } = status;
    await this.#change(machine, ({ vteps: _, ...before }) => ({
      ...before,
      ports,
      released: before.released.filter(isOrphan),
      ...(vteps !== undefined && { vteps }),
    }));
  }

  /** All orphans that nodes have reported. */
  orphans(): readonly NodeOrphan[] {
    return [...this.#orphans].flatMap(([machine, orphans]) => {
      const node = this.#holdings?.get(machine)?.name ?? machine;
      return orphans.map((orphan) => ({ machine, node, ...orphan }));
    });
  }

  /** An orphan of a node. @throws MESH_OBJECT_UNKNOWN when the node has reported no such orphan */
  orphan(machine: MachineWord, name: OrphanName): Orphan {
    const orphan = this.#orphans.get(machine)?.find((candidate) => sameOrphan(candidate, name));
    if (orphan !== undefined) return orphan;
    throw new MeshError('MESH_OBJECT_UNKNOWN', `machine ${machine} has no orphan ${name.kind} ${name.id}`, {
      object: name.id,
      remedy: 'See `mesh node orphans list`.',
    });
  }

  /**
   * Lets an orphan of a node go: the node's next assignment says so.
   * @throws MESH_OBJECT_UNKNOWN when the node has reported no such orphan
   */
  async release(machine: MachineWord, name: OrphanName): Promise<void> {
    const orphan = this.orphan(machine, name);
    const { kind, id, epoch } = orphan;
    await this.#change(machine, (before) => ({
      ...before,
      released: [...before.released.filter((other) => !sameOrphan(other, name)), { kind, id, epoch }].slice(
        -RELEASED_MAX,
      ),
    }));
  }

  /** Releases the orphan on all nodes that have no port in it: the network was adopted for the others. */
  async releaseUnheld({ kind, id, epoch }: OrphanName, networkName: string): Promise<void> {
    for (const [machine, orphans] of this.#orphans) {
      const { ports = [] } = this.#holdings?.get(machine) ?? {};
      const isHeld = ports.some(({ network }) => network === id || network === networkName);
      if (!isHeld && orphans.some((orphan) => sameOrphan(orphan, { kind, id, epoch }))) {
        await this.release(machine, { kind, id, epoch });
      }
    }
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
      const now = change(named);
      if (this.#holdings === undefined || sameHolding(known, now)) return;
      const { revision } = await this.#input.store.txn([], [this.#records.put(now)]);
      this.#revision = Math.max(this.#revision, revision);
      this.#holdings.set(machine, now);
      const isElsewhere = known?.underlay !== now.underlay || known?.name !== now.name;
      const changed = [...this.#derive(now), ...vtepChanges(known, now)];
      this.#refresh(changed, isElsewhere ? [machine] : [], [machine]);
    });
  }

  #networksChanged(): void {
    const given = this.#given;
    if (this.#holdings === undefined || given === undefined) return;
    const networks = new Set(this.#index.setNetworks(given.networks));
    for (const holding of this.#holdings.values()) for (const id of this.#derive(holding)) networks.add(id);
    for (const id of networks) {
      if (this.#index.network(id) !== undefined) continue;
      this.#peers.delete(id);
      for (const machine of this.#holdings.keys()) this.#leaving.cancel(id, machine);
    }
    this.#refresh(networks, [], this.#holdings.keys());
  }

  #placeChanged(machine: MachineWord | undefined): void {
    if (this.#holdings === undefined) return;
    if (machine === undefined) this.#refresh([], this.#holdings.keys(), this.#holdings.keys());
    else if (this.#holdings.has(machine)) this.#refresh([], [machine], [machine]);
  }

  /** @returns the networks that the node began or ceased to hold */
  #derive(holding: HoldingRecord): NetworkId[] {
    const { machine } = holding;
    const { began, ceased } = this.#index.derive(holding);
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
      this.#refreshPeers(id);
      for (const machine of this.#index.holdersOf(id)) nodes.add(machine);
    }
    this.#tell(nodes);
  }

  /** The names of the nodes that have the network, or may have it: those that are away had it when they were last heard. */
  #nodesWith(id: NetworkId): string[] | undefined {
    if (this.#holdings === undefined) return undefined;
    const nodes = [...this.#holdings.values()].filter(({ machine, ports }) => {
      const have = this.#have.get(machine);
      return have === undefined ? ports.some(({ network }) => network === id) : have.has(id);
    });
    return nodes.map(({ name }) => name);
  }

  /** Tells those nodes whose assignment is another one. */
  #tell(machines: Iterable<MachineWord>): void {
    for (const machine of machines) {
      const before = this.#composed.get(machine)?.assignment;
      if (this.assignmentOf(machine) !== before) this.#changes.emit(machine);
    }
  }

  #attachment(machine: MachineWord, network: Network | undefined): NodeAttachment | undefined {
    if (network === undefined) return undefined;
    const reasons: AttachmentReason[] = isEverywhere(network) ? ['pinned'] : ['port'];
    const kind = network.peers?.kind ?? 'none';
    // Meshes are never among these networks.
    if (kind === 'membership') return undefined;
    const peers = kind === 'assigned' ? this.#peersFor(network.id, machine) : PEERS_UNTOLD[kind];
    return { network, reasons, peers, services: [], ...this.#input.hostAddresses?.partOf(network, machine) };
  }

  /** The peers of a network as a node reaches them. Nodes that see host0 at one address share one object. */
  #peersFor(network: NetworkId, reader: MachineWord): AttachmentPeers {
    const underlay = this.#placeOf(reader)?.underlay;
    const host0 = this.#input.host0AddressFor(underlay !== undefined && isIpv4(underlay) ? underlay : undefined);
    const views = this.#peers.get(network) ?? new Map<Ipv4, AttachmentPeers>();
    this.#peers.set(network, views);
    const known = views.get(host0);
    if (known !== undefined) return known;
    const peers = this.#peersNow(network, host0);
    views.set(host0, peers);
    return peers;
  }

  #peersNow(id: NetworkId, host0: Ipv4): AttachmentPeers {
    const holders = [...this.#index.holdersOf(id)].sort().flatMap((machine) => {
      const place = this.#placeOf(machine);
      const { vteps } = this.#holdings?.get(machine) ?? {};
      if (place === undefined) return [];
      return [{ ...place, machine, vteps, ...(machine === 'host0' && { underlay: host0 }) }];
    });
    return assignedPeers(this.#index.network(id), holders);
  }

  #placeOf(machine: MachineWord): NodePlace | undefined {
    const now = this.#input.places.placeOf(machine);
    if (now !== undefined) return now;
    const { name, underlay } = this.#holdings?.get(machine) ?? {};
    return name === undefined || underlay === undefined ? undefined : { name, underlay };
  }

  /** Keeps the peers that have not changed, so that their text and digest stay. */
  #refreshPeers(network: NetworkId): void {
    const views = this.#peers.get(network) ?? new Map<Ipv4, AttachmentPeers>();
    for (const [host0, before] of views) {
      const now = this.#peersNow(network, host0);
      if (!isDeepStrictEqual(before, now)) views.set(host0, now);
    }
  }
}
