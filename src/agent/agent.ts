/**
 * The agent of one machine: derives the items that the machine should have from its source, and keeps the kernel so.
 */

import type { KernelTables } from '../kernel/mirror/kernel-tables.ts';
import type { Feature } from '../kernel/probe.ts';
import type { KernelEvent, Route } from '../kernel/rtnl/objects.ts';
import type { Clock } from '../model/clock.ts';
import type { MeshError } from '../model/error.ts';
import type { MachineWord } from '../model/machine.ts';
import { isMeshId, type Mesh } from '../model/network/mesh.ts';
import type { Network } from '../model/network/network.ts';
import type { NetworkId } from '../model/network/number.ts';
import type { VxlanNetwork } from '../model/network/vxlan-network.ts';
import { Signal, type Subscribable } from '../model/signal.ts';
import type { Finding, HealthSource } from '../protocol/documents/finding.ts';
import type { NetworkState } from '../protocol/documents/membership.ts';
import type { Journal } from '../protocol/journal/journal.ts';
import type { NodeAssignments } from './assignment/node-assignments.ts';
import { stateByServer } from './assignment/object-state.ts';
import type { DesiredInput } from './desired/assignment.ts';
import { DesiredItems } from './desired/desired.ts';
import { vtepIn } from './desired/types/vxlan.ts';
import { firstRule } from './desired/vxlan-way.ts';
import { type Item, isRecorded, networkOf } from './items/item.ts';
import type { ItemKey } from './items/item-kind.ts';
import { linkKey } from './items/link.ts';
import { BorrowedSettings, toGiveBack } from './kernel/borrowed-settings.ts';
import type { Echo, KernelPort } from './kernel/kernel-port.ts';
import { LinkView } from './kernel/link-view.ts';
import { type Obstacle, obstacles } from './kernel/observed.ts';
import { Obstruction } from './kernel/obstruction.ts';
import { withoutLink } from './kernel/other-device.ts';
import { subnetObstacles } from './kernel/subnet-obstacles.ts';
import type { Desire } from './loop/desire.ts';
import { MissingFeatures } from './loop/missing-features.ts';
import { Reconciler } from './loop/reconciler.ts';
import { RememberedSenders } from './loop/remembered-senders.ts';
import type { ServicePort } from './loop/service-port.ts';
import { Outsiders } from './membership/outsiders.ts';
import type { Source, SourceAgent } from './membership/source.ts';
import { deviceKindsOf, NodeNetworks } from './node-networks.ts';
import { type ForeignPorts, portsOfOtherBridges } from './ports/foreign-ports.ts';
import { withGuests } from './ports/guest-ports.ts';
import { PortCommands } from './ports/port-commands.ts';
import { PortRefusals } from './ports/port-refusals.ts';
import { UnfitPorts, withoutHeld } from './ports/unfit-ports.ts';
import type { NetworkServers } from './services/network-servers.ts';
import type { NodeWorkloads } from './workloads/node-workloads.ts';

interface AgentInput {
  /** The machine's name, for people. */
  readonly name: string;
  readonly machine: MachineWord;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly kernel: KernelPort;
  /** Processes and files of the machine. Absent in a simulation, which has none. */
  readonly services?: ServicePort;
  readonly echo: Echo;
  readonly ports: ForeignPorts;
  /** The settings that are given back. Absent in a simulation. */
  readonly settings?: BorrowedSettings;
  /** Writes the record of the ports to the disk, so that the ports survive a reboot. */
  readonly keepPorts: (ports: ForeignPorts) => Promise<void>;
  readonly source: Source;
  /** What host0 gives this node beside its meshes. Absent: nothing, ever. */
  readonly assignments?: NodeAssignments;
  /** What this node runs for the networks that it serves. Absent: nothing, ever. */
  readonly servers?: NetworkServers;
  /** What runs on this node for host0. Absent: nothing, ever. */
  readonly workloads?: NodeWorkloads;
  /** Tests the kernel's features, which takes a third of a second. Absent for a simulated kernel. */
  readonly probe?: () => Promise<readonly Feature[]>;
}

/** What was derived from the machine's links. It holds until the links, the plugged ports or the networks change. */
interface LinkSnapshot {
  readonly cache: KernelTables;
  readonly linksRevision: number;
  readonly portsRevision: number;
  readonly networks: readonly Network[];
  /** The foreign devices that have the name or VNI of a network. */
  readonly obstacles: readonly Obstacle[];
  readonly ports: DesiredInput['ports'];
  readonly elsewhere: readonly string[];
  /** The administrator made this machine a router. */
  readonly routes: boolean;
}

/** The status of one item: in the kernel as desired, not yet, or refused by the kernel again and again. */
export type ItemState = 'ready' | 'pending' | 'failed';

/**
 * One machine's agent: a source, the reconcile loop and the port commands. The source says which networks and members
 * there are. Each pass of the loop asks `#desire` for the items that follow from them.
 */
export class Agent implements SourceAgent {
  readonly input: AgentInput;
  readonly source: Source;
  readonly networks: NodeNetworks;
  readonly reconciler: Reconciler;
  readonly ports: PortCommands;
  /** What the ports of this node were refused. */
  readonly refusals: PortRefusals;
  /** On host0: whose VXLAN packets are dropped. */
  readonly outsiders: Outsiders;
  /** The ports that this machine itself needs. */
  readonly unfitPorts: UnfitPorts;
  /** The features that the kernel lacks; tested when a step keeps failing. */
  readonly missingFeatures: MissingFeatures;
  readonly obstruction: Obstruction;
  readonly #stateChanges = new Signal<void>();
  readonly #underlayChanges = new Signal<Route | undefined>();
  readonly #linkChanges = new Signal<void>();
  readonly #networkChanges = new Signal<void>();
  readonly stateChanges: Subscribable<void> = this.#stateChanges;
  readonly underlayChanges: Subscribable<Route | undefined> = this.#underlayChanges;
  /** Emits when links have changed, or may have changed because events were lost. */
  readonly linkChanges: Subscribable<void> = this.#linkChanges;
  /** Emits when a pass has applied a changed set of networks. */
  readonly networkChanges: Subscribable<void> = this.#networkChanges;
  readonly #senders: RememberedSenders;
  readonly #desired = new DesiredItems();
  readonly #addresses: LinkView;
  readonly #toGiveBack: () => readonly Item[];
  #linkSnapshot: LinkSnapshot | undefined;
  readonly #parts: HealthSource[] = [];
  #phases = new Map<NetworkId, NetworkState['phase']>();
  /** The networks that were applied last. */
  #applied: readonly Mesh[] | undefined;

  constructor(input: AgentInput) {
    this.input = input;
    this.source = input.source;
    const { settings = new BorrowedSettings() } = input;
    this.#addresses = new LinkView(settings);
    this.#toGiveBack = () => toGiveBack(settings, this.#desired.items);
    this.networks = new NodeNetworks(input.source, input.assignments);
    const { kernel, clock, journal, assignments } = input;
    this.missingFeatures = new MissingFeatures(input);
    this.obstruction = new Obstruction(journal);
    this.reconciler = new Reconciler({
      ...input,
      desire: (cache) => this.#desire(cache),
      onLastingFailure: () => this.missingFeatures.look(),
    });
    this.refusals = new PortRefusals(input);
    this.unfitPorts = new UnfitPorts(input);
    this.outsiders = new Outsiders(input);
    this.ports = new PortCommands({
      ...input,
      refusals: this.refusals,
      unfit: this.unfitPorts,
      host0Stance: () => this.source.host0Stance(),
      reconciler: this.reconciler,
      taps: () => this.networks.taps,
      networks: () => this.networks.all,
      fileNetworks: () => this.source.networks,
      stateOf: (network) => this.stateOf(network),
      networkCalled: (name) => this.networks.called(name),
    });
    if (assignments !== undefined) {
      assignments.serve({
        stateOf: (network) => this.stateOf(network),
        takeUp: () => this.takeUp(),
        localPorts: () => this.ports.plugged(),
        portState: (port) => this.ports.stateOf(port),
        vtepOf: ({ id }) => vtepIn(this.#desired.items, id),
      });
      this.ports.wishes.subscribe(() => assignments.changed());
      this.reconciler.passes.subscribe(() => assignments.changed());
      this.addHealthOf(assignments);
    }
    kernel.events.subscribe((event) => this.#onKernelEvent(event));
    this.#senders = new RememberedSenders({ kernel, clock, desired: () => this.reconciler.desired });
    this.reconciler.audits.subscribe(() => {
      void this.readCounts();
      // An audit follows lost events, too.
      this.#underlayChanges.emit(undefined);
    });
    this.reconciler.passes.subscribe(() => this.#onPass());
  }

  /** Reads the kernel, starts the source, and resolves after the first pass with the source's networks. */
  async start(): Promise<void> {
    await this.reconciler.start();
    await this.input.assignments?.load();
    await this.input.workloads?.start();
    await this.source.start(this);
    await this.reconciler.wake();
  }

  /** The reconciler subscribed first, so its cache already has the event. */
  #onKernelEvent(event: KernelEvent): void {
    if (event.type === 'route' && event.route.family === 4) this.#underlayChanges.emit(event.route);
    const mayLoseRoutes = event.type === 'link' && !event.link.up;
    if (mayLoseRoutes || (event.type === 'address' && event.address.family === 4))
      this.#underlayChanges.emit(undefined);
    if (event.type === 'link' || event.type === 'overflow') this.#linkChanges.emit();
  }

  /** Reads what the kernel has counted for findings. Never rejects. */
  async readCounts(): Promise<void> {
    await Promise.all([this.refusals.read(), ...(this.input.machine === 'host0' ? [this.outsiders.read()] : [])]);
  }

  /** Adds the findings of another part of the agent's process to those of the agent. */
  addHealthOf(part: HealthSource): void {
    this.#parts.push(part);
  }

  /** The findings of the parts that were added. */
  get partFindings(): readonly Finding[] {
    return this.#parts.flatMap((part) => part.health());
  }

  get cache(): KernelTables {
    return this.reconciler.cache;
  }

  async takeUp(): Promise<void> {
    await this.reconciler.wake();
    const { networks } = this.source;
    // Members come and go far more often than networks.
    if (networks === this.#applied) return;
    this.#applied = networks;
    try {
      this.#networkChanges.emit();
    } catch (thrown) {
      this.input.journal.faults.tell('change of networks', thrown);
    }
  }

  /** Stops the source and the loop. Everything in the kernel stays and goes on forwarding. */
  async stop(): Promise<void> {
    await this.source.stop();
    await this.input.assignments?.close();
    this.#senders.stop();
    await this.reconciler.close();
  }

  /**
   * The VXLAN network with this name or identifier: a mesh, or one that host0 has given.
   * @throws MESH_NET_UNKNOWN, MESH_NOT_SUPPORTED
   */
  networkCalled(name: string): VxlanNetwork {
    return this.networks.vxlanCalled(name);
  }

  /**
   * The state of a network on this node: whether its links are in the kernel, and whether host0 counts this node as a
   * member.
   */
  stateOf(network: Network): NetworkState {
    const error = this.obstruction.errorOf(network.id) ?? this.#firstFailure(network.id);
    if (error !== undefined) return { phase: 'failed', error: error.toJSON() };
    const missing = this.#desired.missingLink(network);
    if (missing !== undefined) return withoutLink(network, missing, this.cache);
    for (const device of deviceKindsOf(network)) {
      if (!this.reconciler.isReady(linkKey(device, network.id)))
        return { phase: 'pending', why: `its ${device} is being made` };
    }
    const membership = this.source.errorOf(network.id);
    if (membership !== undefined && !membership.retryable) return { phase: 'failed', error: membership.toJSON() };
    if (membership !== undefined) return { phase: 'pending', why: membership.message };
    return stateByServer(this.input.servers?.stateOfHost(network));
  }

  /** An item that is not desired is `pending`. */
  stateOfItem(key: ItemKey): ItemState {
    if (this.reconciler.failureOf(key) !== undefined) return 'failed';
    return this.reconciler.isReady(key) ? 'ready' : 'pending';
  }

  #firstFailure(network: NetworkId): MeshError | undefined {
    const failures = this.reconciler.lastingFailures();
    return failures.find(({ item }) => networkOf(this.reconciler.desired.get(item)) === network)?.error;
  }

  /**
   * The desired items for one pass. A refused network is left out: its items in the kernel stay as they are, and no
   * rule names a foreign device.
   */
  #desire(cache: KernelTables): Desire {
    const { source, input } = this;
    const recorded = (kernel: KernelTables) => [...input.ports.toTakeOff(kernel), ...this.#toGiveBack()];
    const host0 = source.known ? source.host0Stance() : undefined;
    if (host0 !== undefined) this.unfitPorts.takeOff(cache, host0, (network) => this.networks.nameOf(network));
    const document = this.networks.document(cache, host0, input.ports);
    const { obstacles: devices, ports, elsewhere, routes } = this.#snapshotOfLinks(cache);
    const addresses = this.#addresses.of(cache);
    const subnets = subnetObstacles(cache, document.attachments, addresses.foreignLinks);
    const refused = this.obstruction.update([...devices, ...subnets]);
    if (host0 === undefined) {
      const { items } = this.#desired;
      return { items, changed: this.#desired.takeChanges(), recorded, mayDelete: isRecorded };
    }
    const priority = firstRule(cache.rules.values());
    const attachments = document.attachments.filter(({ network }) => !refused.has(network.id));
    const served = input.servers?.plan(attachments, {
      ports: document.ports,
      workloads: input.assignments?.workloads ?? [],
      ...(this.#hasAssignment && { networks: this.networks.all }),
    });
    this.#desired.update({
      machine: this.input.machine,
      routes,
      ...(priority !== undefined && { firstRule: priority }),
      ...addresses,
      host0,
      document: { ...document, attachments },
      ports: withGuests(withoutHeld(ports, this.unfitPorts.heldBack(cache, host0)), document, served?.leased),
      elsewhere,
      ...(input.workloads !== undefined && { services: input.workloads.services }),
      ...served,
    });
    const isRefused = (item: Item) => 'network' in item && refused.has(item.network);
    return {
      items: this.#desired.items,
      changed: this.#desired.takeChanges(),
      recorded,
      mayDelete: (item, wasWanted) => isRecorded(item) || (!isRefused(item) && (wasWanted || this.#mayDelete(item))),
    };
  }

  #snapshotOfLinks(cache: KernelTables): LinkSnapshot {
    const { linksRevision } = cache;
    const networks = this.networks.all;
    const { ports: foreign } = this.input;
    const known = this.#linkSnapshot;
    const same = known?.linksRevision === linksRevision && known.portsRevision === foreign.revision;
    if (same && known.cache === cache && known.networks === networks) return known;
    const found = obstacles(cache, networks, this.input.machine);
    const ports = foreign.takeIn(cache, networks);
    const elsewhere = portsOfOtherBridges(cache);
    // `ip_forward` turns forwarding on for every link, loopback included. We turn it on for single NICs only.
    const routes = cache.linkNamed('lo')?.forwards ?? false;
    const { revision: portsRevision } = foreign;
    this.#linkSnapshot = { cache, linksRevision, portsRevision, networks, obstacles: found, ports, elsewhere, routes };
    return this.#linkSnapshot;
  }

  /**
   * Whether an undesired item may go that this agent has not desired since its start. Entries of an earlier agent stay
   * until the member list is complete. Routes to other segments come with the member lists, so they wait for all lists.
   */
  #mayDelete(item: Item): boolean {
    // Only an assignment says which guests are here, also in the mesh of a file: an emulator may have the tap open.
    if ('portId' in item && item.portId !== undefined) return this.#hasAssignment;
    switch (item.kind) {
      case 'fdb':
      case 'neighbour':
        return isMeshId(item.network) ? this.source.settled(item.network) : this.#hasAssignment;
      case 'static-route':
        return this.#hasAssignment;
      case 'route':
      case 'rule':
        return this.source.networks.every((network) => this.source.settled(network.id));
      case 'link':
      case 'address':
        // A node that lost its last assignment does not know what became of a network that host0 gave it.
        return isMeshId(item.network) || this.#hasAssignment;
      case 'file':
      case 'process':
      case 'space':
        return this.#hasAssignment;
      case 'sysctl':
        return this.#hasAssignment;
      case 'port':
      case 'ruleset':
      case 'underlay-link':
      case 'underlay-address':
        return true;
    }
  }

  get #hasAssignment(): boolean {
    return this.input.assignments?.isComplete ?? true;
  }

  #onPass(): void {
    let changed = false;
    for (const network of this.networks.all) {
      const { phase } = this.stateOf(network);
      if (this.#phases.get(network.id) === phase) continue;
      this.#phases.set(network.id, phase);
      changed = true;
    }
    if (changed) this.#stateChanges.emit();
  }
}
