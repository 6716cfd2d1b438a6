/**
 * The commands about services of networks, and how each service is: on which nodes, since when, and why it waits. A prefix leaves a
 * service in two steps: its routers advertise it with the lifetime 0 first, and leave it out when all have been heard doing so.
 */

import type { Ipv6Cidr } from '../../model/address/ipv6.ts';
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { Network } from '../../model/network/network.ts';
import type { NetworkId } from '../../model/network/number.ts';
import { dhcp4Subnet } from '../../model/network/services/dhcp4.ts';
import type { NetworkService, ServiceKind } from '../../model/network/services/network-service.ts';
import { prefixesOf } from '../../model/network/services/ra.ts';
import { Signal } from '../../model/signal.ts';
import type { CatalogueView } from '../../protocol/documents/catalogue.ts';
import type { ObjectState } from '../../protocol/documents/node-assignment.ts';
import type { ServiceNodeView, ServiceView } from '../../protocol/documents/service/service-view.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import type { Assignments } from '../assignments/assignments.ts';
import { KeyedMutex } from '../membership/keyed-mutex.ts';
import { hasShares, mustFitNetwork, sharedPlace } from './address-service-rules.ts';
import { mustLeaveAddresses, routerAddresses } from './outer-addresses.ts';
import type { OuterAllocations } from './outer-allocations.ts';
import { nextShares } from './server-shares.ts';
import { type ServiceBook, serves } from './service-book.ts';
import type { ServiceRecord } from './service-record.ts';
import { mustBeServable, mustGoWith, mustNotLeadFrom } from './service-rules.ts';

/** What the commands work on. */
export interface ServiceOrdersInput {
  readonly clock: Clock;
  readonly journal: Journal;
  readonly services: ServiceBook;
  readonly assignments: Pick<Assignments, 'knowsNodes' | 'nodes' | 'reports' | 'subscribe' | 'uses'> &
    Partial<Pick<Assignments, 'holdersOf'>>;
  readonly catalogue: {
    /** @throws MESH_NET_UNKNOWN */
    find(wanted: string): CatalogueView;
    readonly loaded: boolean;
    /** Whether the document of a network cannot be read: the network is in no view, and is not gone. */
    isSpoilt(number: number): boolean;
    views(): readonly CatalogueView[];
    readonly changes: { subscribe(listener: () => void): () => void };
  };
  /** Where changes of addresses outside wait for each other. Absent: no other part changes them. */
  readonly turns?: KeyedMutex<'maps'>;
  /** The addresses outside in the address book. Absent: there are no pools. */
  readonly outer?: Pick<OuterAllocations, 'take'>;
}

const UNHEARD = 'the node has not told yet';
const UNSHARED: ObjectState = { state: 'pending', why: 'host0 has no address for the node yet', ageSec: 0 };
const AWAY = 'the node is away';
const NOBODY = 'no node serves: give one the role with `mesh node role add NODE router`';

/** Sets, removes and watches services. */
export class ServiceOrders {
  readonly #input: ServiceOrdersInput;
  readonly #turns: KeyedMutex<'maps'>;
  readonly #changes = new Signal<void>();
  /** Since when a node owes an answer, by the node and the identifier of the service. */
  readonly #owedSinceMs = new Map<string, number>();
  #settling: Promise<void> = Promise.resolve();
  /** Whether a look waits for its turn. */
  #isDue = false;
  readonly #ends: readonly (() => void)[];

  constructor(input: ServiceOrdersInput) {
    this.#input = input;
    this.#turns = input.turns ?? new KeyedMutex();
    const changed = () => {
      this.#changes.emit();
      this.#settle();
    };
    this.#ends = [
      input.services.changes.subscribe(changed),
      input.catalogue.changes.subscribe(changed),
      input.assignments.uses.subscribe(changed),
      input.assignments.subscribe(changed),
    ];
    this.#settle();
  }

  /** Calls `listener` when a service may be otherwise. @returns a function that ends the subscription */
  subscribe(listener: () => void): () => void {
    return this.#changes.subscribe(listener);
  }

  /** The services of a network. @throws MESH_NET_UNKNOWN */
  list(wanted: string): readonly ServiceView[] {
    const { network } = this.#input.catalogue.find(wanted);
    return this.#input.services.of(network).map((record) => this.#view(network, record));
  }

  /**
   * Gives a network a service, or another form of the one that it has.
   * @throws MESH_NET_UNKNOWN, MESH_NET_SOURCE, MESH_NET_NOT_SUPPORTED, MESH_DHCP_*, MESH_ADDRESS_MAPPED, MESH_IPAM_TAKEN, MESH_USAGE, MESH_STORE_CONFLICT
   */
  set(wanted: string, given: NetworkService): Promise<ServiceView> {
    // Two networks that are given one address outside at the same time would both find it free.
    return this.#turns.take('maps', async () => {
      const { catalogue, services } = this.#input;
      const { network } = catalogue.find(wanted);
      mustBeServable(network);
      const before = services.find(network, given.kind);
      const records = services.of(network);
      mustGoWith(network, given, records);
      const others = records.filter(({ service, removing }) => service.kind !== given.kind && removing !== true);
      const nodes = this.#nodesOf({ service: given }).length;
      const around = { services: others.map(({ service }) => service), guests: services.guestsOf(network) };
      mustFitNetwork(network, given, around, nodes);
      const service = withMapsOf(before, given);
      mustLeaveAddresses(network, service, services.records, [...this.#networks().values()]);
      for (const address of routerAddresses(service))
        await this.#input.outer?.take({ address, network: network.number });
      const announced = union(before?.announced, advertisedBy(service, network));
      const plain: ServiceRecord = { format: 1, network: network.number, service, announced };
      const kept = before?.shares === undefined ? plain : { ...plain, shares: before.shares };
      const record = this.#shared(network, kept);
      await services.replace(record);
      return this.#view(network, record);
    });
  }

  /**
   * Takes a service from a network. The answer comes at once; the service is in the list until its nodes have said goodbye.
   * @throws MESH_NET_UNKNOWN, MESH_OBJECT_UNKNOWN, MESH_NET_NOT_SUPPORTED, MESH_STORE_CONFLICT
   */
  remove(wanted: string, kind: ServiceKind): Promise<ServiceView> {
    return this.#turns.take('maps', () => this.#remove(wanted, kind));
  }

  /** The identifier of a network, and the nodes that give addresses in it. @throws MESH_NET_UNKNOWN */
  dhcpServers(wanted: string): { readonly network: NetworkId; readonly machines: readonly MachineWord[] } {
    const { network } = this.#input.catalogue.find(wanted);
    const given = this.#input.services
      .of(network)
      .filter(({ service: { kind } }) => kind === 'dhcp4' || kind === 'dhcp6');
    const machines = given.flatMap(({ shares = [] }) => shares.map(({ machine }) => machine));
    return { network: network.id, machines: [...new Set([...machines, ...this.#hostsOf(network)])] };
  }

  /** The nodes with addresses in the subnets of a network: they give addresses there, as the network itself says. */
  #hostsOf({ id, hostAddress: { kind }, subnets }: Network): readonly MachineWord[] {
    if (subnets.every(({ dhcp }) => dhcp === undefined)) return [];
    if (kind === 'given') return ['host0'];
    return kind === 'per-node' ? (this.#input.assignments.holdersOf?.(id) ?? []) : [];
  }

  close(): void {
    for (const end of this.#ends) end();
  }

  /** The nodes that serve, in the order of their identifiers. */
  #nodesOf(record: Pick<ServiceRecord, 'service'>) {
    return this.#input.assignments.nodes
      .filter((node) => serves(record, node))
      .toSorted((a, b) => (a.machine < b.machine ? -1 : 1));
  }

  /** The record with the shares of the nodes that serve now. The same object where nothing changes. */
  #shared(network: Network, record: ServiceRecord): ServiceRecord {
    if (!this.#input.assignments.knowsNodes() || !hasShares(record.service.kind) || record.removing === true)
      return record;
    const { shares: before = [] } = record;
    const machines = this.#nodesOf(record).map(({ machine }) => machine);
    const place = sharedPlace(network, record.service, this.#input.services.guestsOf(network));
    const shares = nextShares(before, { ...place, machines });
    return shares === before ? record : { ...record, shares };
  }

  async #remove(wanted: string, kind: ServiceKind): Promise<ServiceView> {
    const { network } = this.#input.catalogue.find(wanted);
    const before = this.#input.services.find(network, kind);
    if (before === undefined) throw noService(network, kind);
    mustNotLeadFrom(network, kind, this.#input.services.of(network));
    const record: ServiceRecord = { ...before, removing: true };
    await this.#input.services.put(record);
    return this.#view(network, record);
  }

  #view(network: Network, record: ServiceRecord): ServiceView {
    const { service, removing, announced = [] } = record;
    const { id } = this.#input.services.assigned(network, record);
    const others = this.#input.services.of(network).filter((other) => other.removing !== true);
    const lack = removing === true ? undefined : lackOf(network, service.kind, others);
    const nodes = this.#input.assignments.nodes
      .filter((node) => serves(record, node))
      .toSorted((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }))
      .map(({ machine, name, isReached }): ServiceNodeView => {
        const state = isReached
          ? (this.#input.assignments.reports.stateOf(machine, 'service', id) ?? this.#owed(`${machine} ${id}`))
          : ({ state: 'pending', why: AWAY, ageSec: 0 } as const);
        const isShared = !hasShares(service.kind) || removing === true || hasShare(record, machine);
        const own = isShared ? stateOnly(state) : UNSHARED;
        return { machine, node: name, isReached, state: lack === undefined ? own : lacking(lack) };
      });
    const wanted = new Set(removing === true ? [] : advertisedBy(service, network));
    const prefixes = announced.filter((prefix) => wanted.has(prefix));
    const withdrawn = announced.filter((prefix) => !wanted.has(prefix));
    return {
      network: network.name,
      service,
      ...(removing !== undefined && { removing }),
      ...(prefixes.length > 0 && { prefixes }),
      ...(withdrawn.length > 0 && { withdrawn }),
      ...availability(nodes),
      nodes,
    };
  }

  #owed(key: string): ObjectState {
    const nowMs = this.#input.clock.nowMs();
    const sinceMs = this.#owedSinceMs.get(key) ?? nowMs;
    this.#owedSinceMs.set(key, sinceMs);
    return { state: 'pending', why: UNHEARD, ageSec: Math.floor((nowMs - sinceMs) / 1000) };
  }

  /**
   * Brings the records up to what networks and routers have become. One look after the other, and at most one waits: each status of
   * each node comes here.
   */
  #settle(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#settling = this.#settling
      .then(() => {
        this.#isDue = false;
        return this.#settleNow();
      })
      .catch((thrown: unknown) => this.#input.journal.failure('services not kept', thrown));
  }

  async #settleNow(): Promise<void> {
    const { catalogue, services, assignments } = this.#input;
    const hasNothing = services.records.length === 0 && this.#owedSinceMs.size === 0;
    // Before, no node is known: all would lose their shares, and a service that goes would be forgotten unheard.
    if (!catalogue.loaded || !assignments.knowsNodes() || hasNothing) return;
    let networks = this.#networks();
    for (const { network: number, service } of services.records) {
      // A command may have changed the record while the one before was written. Nothing waits between this look and the write.
      const record = services.find({ number }, service.kind);
      const next = record && this.#next(networks.get(number), record);
      if (record === undefined || next === record) continue;
      await (next === undefined ? services.forget(record) : services.put(next));
      networks = this.#networks();
    }
    const owed = new Set(
      services.records.flatMap((record) => {
        const network = networks.get(record.network);
        return network === undefined ? [] : [services.assigned(network, record).id];
      }),
    );
    for (const key of this.#owedSinceMs.keys())
      if (!owed.has(key.slice(key.indexOf(' ') + 1))) this.#owedSinceMs.delete(key);
  }

  #networks(): ReadonlyMap<number, Network> {
    return new Map(this.#input.catalogue.views().map(({ network }) => [network.number, network]));
  }

  /** The record that follows from the network and from the words of its routers: the same, another one, or undefined when it goes. */
  #next(network: Network | undefined, record: ServiceRecord): ServiceRecord | undefined {
    if (network === undefined) return this.#input.catalogue.isSpoilt(record.network) ? record : undefined;
    const { announced = [], removing, service } = record;
    const shared = this.#shared(network, record);
    if (shared !== record) return shared;
    const wanted = removing === true ? [] : advertisedBy(service, network);
    const all = union(announced, wanted);
    if (all.length > announced.length) return { ...record, announced: all };
    if (removing !== true && announced.length === wanted.length) return record;
    const isHeard = this.#view(network, record).nodes.every(
      ({ isReached, state }) => !isReached || state.state === 'ready',
    );
    if (!isHeard) return record;
    return removing === true ? undefined : { ...record, announced: wanted };
  }
}

/** The prefixes that a service has routers advertise, or leads to. */
function advertisedBy({ kind }: NetworkService, network: Network): readonly Ipv6Cidr[] {
  return hasShares(kind) ? [] : prefixesOf(network);
}

/** Whether a node can serve: DHCP for IPv4 needs an address of its own. */
function hasShare({ service, shares = [] }: ServiceRecord, machine: MachineWord): boolean {
  return shares.some((share) => share.machine === machine && (service.kind !== 'dhcp4' || share.address !== undefined));
}

/** What a network has lost without which no node serves: nodes have nothing to do then, and say that they are ready. */
function lackOf(network: Network, kind: ServiceKind, records: readonly ServiceRecord[]): string | undefined {
  if (prefixesOf(network).length > 0 || (kind !== 'dhcp6' && kind !== 'dns')) return undefined;
  if (kind === 'dhcp6') return 'the network has no /64 in which addresses could be given';
  const isReached = dhcp4Subnet(network) !== undefined && records.some(({ service }) => service.kind === 'dhcp4');
  return isReached ? undefined : 'the network has no address at which DNS could answer';
}

function lacking(why: string): ObjectState {
  return { state: 'pending', why, ageSec: 0 };
}

/** The worst state of the nodes whose channel stands. */
function availability(nodes: readonly ServiceNodeView[]): Pick<ServiceView, 'state' | 'why' | 'ageSec'> {
  const reached = nodes.filter(({ isReached }) => isReached);
  if (reached.length === 0)
    return { state: 'pending', why: nodes.length === 0 ? NOBODY : 'all nodes that serve are away' };
  for (const { node, state } of reached) {
    if (state.state === 'failed') return { state: 'failed', why: `${node}: ${state.message}` };
  }
  const waiting = reached.flatMap(({ node, state }) => (state.state === 'pending' ? [{ node, ...state }] : []));
  const [oldest] = waiting.sort((a, b) => b.ageSec - a.ageSec);
  if (oldest === undefined) return { state: 'ready' };
  return { state: 'pending', why: `${oldest.node}: ${oldest.why}`, ageSec: oldest.ageSec };
}

/** The addresses of virtual machines are changed by their own commands. */
function withMapsOf(before: ServiceRecord | undefined, service: NetworkService): NetworkService {
  if (service.kind !== 'nat64' || before?.service.kind !== 'nat64') return service;
  return { ...service, maps: before.service.maps };
}

function noService({ name }: Network, kind: ServiceKind): MeshError {
  return new MeshError('MESH_OBJECT_UNKNOWN', `network ${name} has no service ${kind}`, {
    object: name,
    remedy: `See \`mesh network service list ${name}\`.`,
  });
}

function union<T>(some: readonly T[] = [], others: readonly T[]): readonly T[] {
  return [...new Set([...some, ...others])];
}

/** A state of an object without the object. */
function stateOnly(state: ObjectState): ObjectState {
  switch (state.state) {
    case 'ready':
      return { state: 'ready' };
    case 'pending':
      return { state: 'pending', why: state.why, ageSec: state.ageSec };
    case 'failed':
      return { state: 'failed', code: state.code, message: state.message, remedy: state.remedy };
  }
}
