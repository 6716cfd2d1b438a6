/** The agent of one machine: puts together what the machine should take part in, and keeps the kernel that way. */

import type { Feature } from '../kernel/probe.ts';
import type { KernelEvent } from '../kernel/rtnl/objects.ts';
import { type Ipv4, isIpv4 } from '../model/address/ipv4.ts';
import type { Clock } from '../model/clock.ts';
import { MeshError } from '../model/error.ts';
import type { MachineWord } from '../model/machine.ts';
import type { Network, NetworkId } from '../model/network/network.ts';
import { Signal, type Subscribable } from '../model/signal.ts';
import type { NetworkState } from '../protocol/documents/membership.ts';
import type { Journal } from '../protocol/journal/journal.ts';
import type { Attachment, DesiredInput } from './desired/assignment.ts';
import { DesiredItems } from './desired/desired.ts';
import { type Item, networkOf } from './items/item.ts';
import type { ItemKey } from './items/item-kind.ts';
import { linkKey } from './items/link.ts';
import type { KernelCache } from './kernel/kernel-cache.ts';
import type { Echo, KernelPort } from './kernel/kernel-port.ts';
import { obstacles } from './kernel/observed.ts';
import { Obstruction } from './kernel/obstruction.ts';
import { MissingFeatures } from './loop/missing-features.ts';
import { type Desire, Reconciler } from './loop/reconciler.ts';
import type { Source, SourceAgent } from './membership/source.ts';
import type { ForeignPorts } from './ports/foreign-ports.ts';
import { PortCommands } from './ports/port-commands.ts';

export interface AgentInput {
  readonly name: string;
  readonly machine: MachineWord;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly kernel: KernelPort;
  readonly echo: Echo;
  readonly ports: ForeignPorts;
  /** Makes the plugged ports survive a reboot. */
  readonly keepPorts: (ports: ForeignPorts) => Promise<void>;
  readonly source: Source;
  /** Tries out what the kernel can do; absent where the kernel is not a real one. It takes a third of a second. */
  readonly probe?: () => Promise<readonly Feature[]>;
}

/** What the links of the machine say, as long as neither they, the plugged ports nor the networks change. */
interface Ground {
  readonly cache: KernelCache;
  readonly linksRevision: number;
  readonly portsRevision: number;
  readonly networks: readonly Network[];
  /** Networks in whose place a device of somebody else stands. */
  readonly refused: ReadonlySet<NetworkId>;
  readonly ports: DesiredInput['ports'];
  readonly routes: boolean;
}

/** How one item fares in the kernel. */
export type ItemState = 'ready' | 'pending' | 'failed';

export class Agent implements SourceAgent {
  readonly input: AgentInput;
  readonly source: Source;
  readonly reconciler: Reconciler;
  readonly ports: PortCommands;
  /** Looked for when a step of ours keeps failing. */
  readonly missingFeatures: MissingFeatures;
  readonly obstruction: Obstruction;
  readonly #stateChanges = new Signal<void>();
  readonly #underlayChanges = new Signal<void>();
  readonly #linkChanges = new Signal<void>();
  readonly #networkChanges = new Signal<void>();
  readonly stateChanges: Subscribable<void> = this.#stateChanges;
  readonly underlayChanges: Subscribable<void> = this.#underlayChanges;
  /** Emits when links have changed, or may have. */
  readonly linkChanges: Subscribable<void> = this.#linkChanges;
  /** Emits when the kernel has been brought up to other networks than before. */
  readonly networkChanges: Subscribable<void> = this.#networkChanges;
  readonly #desired = new DesiredItems();
  readonly #keptSources = new Map<NetworkId, readonly Ipv4[]>();
  #ground: Ground | undefined;
  #phases = new Map<NetworkId, NetworkState['phase']>();
  /** The networks that the kernel was brought up to last. */
  #taken: readonly Network[] | undefined;

  constructor(input: AgentInput) {
    this.input = input;
    this.source = input.source;
    const { kernel, clock, journal } = input;
    this.missingFeatures = new MissingFeatures(input);
    this.obstruction = new Obstruction(journal);
    this.reconciler = new Reconciler({
      kernel,
      clock,
      journal,
      desire: (cache) => this.#desire(cache),
      onLastingFailure: () => this.missingFeatures.look(),
    });
    this.ports = new PortCommands({
      ...input,
      reconciler: this.reconciler,
      networkCalled: (name) => this.networkCalled(name),
    });
    kernel.events.subscribe((event) => this.#onKernelEvent(event));
    this.reconciler.passes.subscribe(() => this.#onOutcome());
  }

  async start(): Promise<void> {
    await this.reconciler.start();
    await this.source.start(this);
    await this.reconciler.wake();
  }

  /** The reconciler subscribed before: its cache has the event already. */
  #onKernelEvent(event: KernelEvent): void {
    const underlay =
      (event.type === 'address' && event.address.family === 4) || (event.type === 'route' && event.route.family === 4);
    if (underlay) this.#underlayChanges.emit();
    if (event.type === 'link' || event.type === 'overflow') this.#linkChanges.emit();
  }

  get cache(): KernelCache {
    return this.reconciler.cache;
  }

  async takeUp(): Promise<void> {
    await this.reconciler.wake();
    const { networks } = this.source;
    // Members come and go far more often than networks.
    if (networks !== this.#taken) this.#networkChanges.emit();
    this.#taken = networks;
  }

  /** Stops; what is in the kernel stays and goes on forwarding. */
  async stop(): Promise<void> {
    await this.source.stop();
    await this.reconciler.close();
  }

  /** @throws MESH_NET_UNKNOWN */
  networkCalled(name: string): Network {
    const network = this.source.networks.find((candidate) => candidate.name === name || candidate.id === name);
    if (network !== undefined) return network;
    const names = this.source.networks.map((candidate) => candidate.name).join(', ') || 'none';
    throw new MeshError('MESH_NET_UNKNOWN', `there is no network ${JSON.stringify(name)} on this node`, {
      object: name,
      remedy: `It has: ${names}.`,
    });
  }

  /** How a network fares here: what is in the kernel, and whether host0 counts this node as a member. */
  stateOf(network: Network): NetworkState {
    const error = this.obstruction.errorOf(network.id) ?? this.#firstFailure(network.id);
    if (error !== undefined) return { phase: 'failed', error: error.toJSON() };
    for (const device of ['bridge', 'vxlan'] as const) {
      if (!this.reconciler.isReady(linkKey(device, network.id)))
        return { phase: 'pending', why: `its ${device} is being made` };
    }
    const membership = this.source.errorOf(network.id);
    if (membership !== undefined && !membership.retryable) return { phase: 'failed', error: membership.toJSON() };
    if (membership !== undefined) return { phase: 'pending', why: membership.message };
    return { phase: 'ready' };
  }

  stateOfItem(key: ItemKey): ItemState {
    if (this.reconciler.failureOf(key) !== undefined) return 'failed';
    return this.reconciler.isReady(key) ? 'ready' : 'pending';
  }

  #firstFailure(network: NetworkId): MeshError | undefined {
    const failures = this.reconciler.lastingFailures();
    return failures.find(({ item }) => networkOf(this.reconciler.desired.get(item)) === network)?.error;
  }

  /** What of a refused network is there stays as it is; and no rule speaks of a device that is not ours. */
  #desire(cache: KernelCache): Desire {
    const { source, input } = this;
    const recorded = (kernel: KernelCache) => input.ports.toTakeOff(kernel);
    const { refused, ports, routes } = this.#lookAtGround(cache);
    if (!source.known) {
      const { items } = this.#desired;
      return { items, changed: this.#desired.takeChanges(), recorded, mayDelete: isRecorded };
    }
    this.#desired.update({
      machine: this.input.machine,
      routes,
      host0: source.host0Stance(),
      attachments: source
        .attachments()
        .filter(({ network }) => !refused.has(network.id))
        .map((attachment) => this.#withKeptSources(attachment, cache)),
      ports,
    });
    const isRefused = (item: Item) => 'network' in item && refused.has(item.network);
    return {
      items: this.#desired.items,
      changed: this.#desired.takeChanges(),
      recorded,
      mayDelete: (item, wasWanted) => isRecorded(item) || (!isRefused(item) && (wasWanted || this.#mayDelete(item))),
    };
  }

  #lookAtGround(cache: KernelCache): Ground {
    const { linksRevision } = cache;
    const { networks } = this.source;
    const { ports: foreign } = this.input;
    const known = this.#ground;
    const same = known?.linksRevision === linksRevision && known.portsRevision === foreign.revision;
    if (same && known.cache === cache && known.networks === networks) return known;
    const refused = this.obstruction.update(obstacles(cache, networks));
    const ports = foreign.takeIn(cache);
    // `ip_forward` is set on every link, loopback too; we set it on single ports of the underlay.
    const routes = cache.linkNamed('lo')?.forwards ?? false;
    this.#ground = { cache, linksRevision, portsRevision: foreign.revision, networks, refused, ports, routes };
    return this.#ground;
  }

  /**
   * An entry that nobody wants goes when this agent wanted it before, since then somebody has left; one from before its
   * start only when it is known whose all entries are. Routes to other segments come with the member lists, so likewise.
   */
  #mayDelete(item: Item): boolean {
    switch (item.kind) {
      case 'fdb':
      case 'neighbour':
        return this.source.settled(item.network);
      case 'route':
        return this.source.networks.every((network) => this.source.settled(network.id));
      case 'link':
      case 'address':
      case 'port':
      case 'sysctl':
      case 'ruleset':
      case 'underlay-link':
      case 'underlay-address':
        return true;
    }
  }

  /** Until it is settled who is a member, packets are taken from wherever entries led that were there when it was not. */
  #withKeptSources(attachment: Attachment, cache: KernelCache): Attachment {
    const { id } = attachment.network;
    if (this.source.settled(id)) {
      this.#keptSources.delete(id);
      return attachment;
    }
    const keptSources = this.#keptSources.get(id) ?? sourcesOf(attachment.network, cache);
    this.#keptSources.set(id, keptSources);
    return { ...attachment, keptSources };
  }

  #onOutcome(): void {
    let changed = false;
    for (const network of this.source.networks) {
      const { phase } = this.stateOf(network);
      if (this.#phases.get(network.id) === phase) continue;
      this.#phases.set(network.id, phase);
      changed = true;
    }
    if (changed) this.#stateChanges.emit();
  }
}

/**
 * Whether the item is ours by the record alone. A port that is observed and not wanted is one that an administrator has
 * unplugged: its removal waits neither for the networks nor for a list of members.
 */
function isRecorded({ kind }: Item): boolean {
  return kind === 'port';
}

/** Where the entries lead that are there. */
function sourcesOf({ devices }: Network, cache: KernelCache): Ipv4[] {
  const vxlan = cache.linkNamed(devices.vxlan)?.index;
  const sources = new Set<Ipv4>();
  for (const { link, table, externLearn, remoteVtep } of cache.fdb.values()) {
    if (link !== vxlan || table !== 'self' || !externLearn) continue;
    if (remoteVtep !== undefined && isIpv4(remoteVtep)) sources.add(remoteVtep);
  }
  return [...sources];
}
