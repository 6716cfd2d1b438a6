/**
 * What a node runs for the networks that it serves: for each a space, and in it a server for each service. A server counts as ready
 * when it has been heard doing its work: a packet socket on the network's bridge hears what guests hear.
 */
import { join } from 'node:path';
import { DirectoryWatch } from '../../disk/directory-watch.ts';
import type { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { Clock } from '../../model/clock.ts';
import type { MeshError } from '../../model/error.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { Network } from '../../model/network/network.ts';
import { nodeAddresses } from '../../model/network/node-addresses.ts';
import { hexNumber, type NetworkId } from '../../model/network/number.ts';
import { serviceAddresses, servicePort } from '../../model/network/services/service-addresses.ts';
import { Signal, type Subscribable } from '../../model/signal.ts';
import type { NodeAttachment } from '../../protocol/documents/node-assignment.ts';
import type { AssignedService, KnownService } from '../../protocol/documents/service/assigned-service.ts';
import type { GuestLease } from '../../protocol/documents/service/guest-lease.ts';
import type { Launcher } from '../../services/process/launcher.ts';
import { isSameAdvertisement } from '../../services/radvd/advertisement-frame.ts';
import { radvdConf } from '../../services/radvd/radvd-conf.ts';
import { radvdProcess } from '../../services/radvd/radvd-process.ts';
import type { NodeAssignments } from '../assignment/node-assignments.ts';
import { refusedState, type StateNow } from '../assignment/object-state.ts';
import { type BridgedNetwork, hasBridge } from '../desired/bridged-network.ts';
import type { LeasedAddresses } from '../desired/leased-addresses.ts';
import type { NodeService } from '../desired/parts/service.ts';
import type { GuestAddresses } from '../desired/rules/routing/routed-here.ts';
import { leaseDirectory, type ServiceSpace, SPACE_LINK, spaceDirectory } from '../items/space/service-space.ts';
import { spaceKey } from '../items/space/space-item.ts';
import { AdvertisementEar, type OpenEar } from './advertisement-ear.ts';
import { AnswerEar } from './answer-ear.ts';
import {
  dnsmasqAddresses,
  dnsmasqServer,
  doesDhcp,
  familiesGiven,
  hasShare,
  isDnsmasqService,
  leasesIn,
  questionsTo,
} from './dnsmasq-server.ts';
import { HostServers, type KnownGuests } from './host-servers.ts';
import { nat64Server } from './nat64-server.ts';
import type { ServerUser } from './server-user.ts';
import { spaceExtras } from './space-extras.ts';

/** What servers need of their node. */
export interface NetworkServersInput {
  readonly machine: MachineWord;
  readonly clock: Clock;
  readonly launcher: Pick<Launcher, 'running' | 'errorOf' | 'present'>;
  readonly directories: {
    /** The files that servers read. All files below are the agent's. */
    readonly files: string;
    /** Files of this boot, such as pid files. */
    readonly run: string;
    /** The named namespaces. */
    readonly netns: string;
    /** The leases of networks, each in a directory of its own. */
    readonly leases: string;
  };
  readonly openEar: OpenEar;
  /** Why the space of this name has no way out. */
  readonly outerFaultOf: (space: string) => MeshError | undefined;
  /** Whether the node has this space as it is planned. */
  readonly isInPlace: (space: ServiceSpace) => boolean;
  /** Whom servers become. Absent: root, as far as a server can stay root. */
  readonly user?: ServerUser;
}

/** The agent, as far as it tells of bridges. */
export interface BridgesOfAgent {
  readonly cache: Pick<KernelTables, 'linkNamed'>;
  readonly linkChanges: Subscribable<void>;
  readonly reconciler: { readonly passes: Subscribable<unknown>; readonly wake: () => Promise<void> };
}

/** What the planner makes items of. */
export interface ServedNetworks {
  readonly spaces: readonly ServiceSpace[];
  readonly servers: readonly NodeService[];
  /** The addresses of guests in networks whose rules name guests. */
  readonly guests: ReadonlyMap<NetworkId, GuestAddresses>;
  /** The addresses that guests of this node's ports have from the servers here. */
  readonly leased: LeasedAddresses;
}

const NO_GUESTS: KnownGuests = { ports: [], workloads: [] };

/** A network that this node serves. */
interface Served {
  readonly space: ServiceSpace;
  /** The Ethernet address of the node's bridge. */
  readonly asker: Mac;
  /** A service without a server has nothing to do on this node. */
  readonly services: ReadonlyMap<AssignedService, NodeService | undefined>;
}

/** A prefix of 64 bits, as every link-local address has. */
const LINK_LOCAL_LENGTH = 64;

/** Plans the servers of a node, and tells how they are. */
export class NetworkServers {
  readonly #input: NetworkServersInput;
  /** The servers at this node's own addresses. */
  readonly #ofHost: HostServers;
  #leases: DirectoryWatch | undefined;
  /** Emits when a server may be otherwise. */
  readonly #changes = new Signal<void>();
  #served: ReadonlyMap<NetworkId, Served> = new Map();
  readonly #ears = new Map<NetworkId, AdvertisementEar>();
  readonly #answers = new Map<NetworkId, AnswerEar>();
  readonly #known = new WeakMap<
    Network,
    Map<string, { readonly given: readonly AssignedService[]; readonly served: Served }>
  >();

  constructor(input: NetworkServersInput) {
    this.#input = input;
    this.#ofHost = new HostServers({ ...input, wallTime: () => input.clock.wallTime() });
  }

  /** The spaces and servers for these attachments. Unchanged ones are the same objects as before. */
  plan(attachments: readonly NodeAttachment[], known: KnownGuests = NO_GUESTS): ServedNetworks {
    const served = new Map<NetworkId, Served>();
    const vxlanPorts = vxlanPortsOf(attachments);
    for (const { network, services } of attachments) {
      if (!hasBridge(network) || !services.some(isKnown)) continue;
      served.set(network.id, this.#serve(network, services, vxlanPorts));
    }
    this.#served = served;
    const all = [...served.values()];
    // One server does several services.
    const ofSpaces = all.flatMap(({ services }) => [...new Set(services.values())]);
    const servers = [
      ...ofSpaces.filter((server) => server !== undefined),
      ...this.#ofHost.plan(attachments, known.networks),
    ];
    const spaces = all.map(({ space }) => space);
    return { spaces, servers, guests: this.#ofHost.guests(attachments, known), leased: this.#ofHost.leased(known) };
  }

  /** Listens on the bridges of an agent, from before a server sends its first advertisement there, and tells how servers are. */
  runBeside(agent: BridgesOfAgent, assignments: Pick<NodeAssignments, 'serveWith' | 'changed'>): void {
    assignments.serveWith(this);
    this.#changes.subscribe(() => assignments.changed());
    const { directories, clock } = this.#input;
    this.#leases = new DirectoryWatch(directories.leases, clock, () => this.#lookForGuests(agent));
    this.#leases.start();
    agent.linkChanges.subscribe(() => this.#look(agent.cache));
    agent.reconciler.passes.subscribe(() => this.#look(agent.cache));
  }

  /** A guest may have got a lease: it may send from its address then, and rules that name the guest lead there. */
  #lookForGuests({ reconciler }: BridgesOfAgent): void {
    this.#ofHost.look();
    if (this.#ofHost.knowsGuests) void reconciler.wake();
  }

  #look(cache: BridgesOfAgent['cache']): void {
    const linkNamed = (name: string) => cache.linkNamed(name);
    for (const [id, ear] of this.#ears) {
      const space = this.#served.get(id)?.space;
      const link = space === undefined ? undefined : linkNamed(space.bridge);
      if (space !== undefined && link?.index === ear.link && ear.mac === space.mac && !ear.isDeaf) continue;
      ear.close();
      this.#ears.delete(id);
    }
    for (const [id, { space }] of this.#served) {
      const link = linkNamed(space.bridge);
      if (this.#ears.has(id) || link === undefined) continue;
      const { clock, openEar } = this.#input;
      const onChange = () => this.#changes.emit();
      this.#ears.set(id, new AdvertisementEar({ link: link.index, mac: space.mac, clock, openEar, onChange }));
    }
    this.#listenForAnswers(linkNamed);
  }

  #listenForAnswers(linkNamed: BridgesOfAgent['cache']['linkNamed']): void {
    const { machine, clock, openEar } = this.#input;
    for (const [id, ear] of this.#answers) {
      const served = this.#served.get(id);
      const isSame = served !== undefined && ear.isFor(served.space, linkNamed(served.space.port)?.index);
      if (isSame && !ear.isDeaf) continue;
      ear.close();
      this.#answers.delete(id);
    }
    for (const [id, { space, services, asker }] of this.#served) {
      const link = linkNamed(space.port);
      const asks = questionsTo([...services.keys()], machine);
      if (asks.kinds.length === 0 || link === undefined || this.#answers.has(id)) continue;
      const onChange = () => this.#changes.emit();
      this.#answers.set(id, new AnswerEar({ space, asker, link: link.index, ...asks, clock, openEar, onChange }));
    }
  }

  /** How the server of a network with addresses of this node is; undefined for a network without such a server. */
  stateOfHost(network: Network): StateNow | undefined {
    return this.#ofHost.stateOf(network);
  }

  /** How a service is. */
  stateOf(network: Network, service: KnownService): StateNow {
    const served = this.#served.get(network.id);
    if (served?.services.has(service) !== true) return pending('the server has not been planned yet');
    const plan = served.services.get(service);
    const { launcher, outerFaultOf, machine } = this.#input;
    if (isDnsmasqService(service)) {
      if (!hasShare(service, [...served.services.keys()], machine))
        return service.servers.length === 0 ? { state: 'ready' } : pending('this node has no share of the service yet');
    } else if (service.kind !== 'ra') {
      // Another router has what exists once.
      if (service.active !== machine) return { state: 'ready' };
      const fault = outerFaultOf(served.space.name);
      if (fault !== undefined) return refusedState(fault);
    }
    if (plan === undefined) return this.#stateOfSpace(served.space);
    const { name } = plan.process;
    const error = launcher.errorOf(name);
    if (error !== undefined) return refusedState(error);
    const running = launcher.running(name);
    if (running === undefined || !running.ready) return pending(`${plan.process.title} has not started yet`);
    if (isDnsmasqService(service)) {
      const isHeard = this.#answers.get(network.id)?.hears(service.kind, running.pid) === true;
      return isHeard
        ? { state: 'ready' }
        : pending(`no answer of ${plan.process.title} to ${service.kind} has been heard yet`);
    }
    if (service.kind !== 'ra') return { state: 'ready' };
    const heard = this.#ears.get(network.id)?.heard;
    if (heard === undefined) return pending('no router advertisement of this node has been heard on its bridge yet');
    if (!isSameAdvertisement(heard, service.advertisement))
      return pending('the last router advertisement of this node was not of this revision');
    return { state: 'ready' };
  }

  /** The leases of guests that this node has given in a network. @param id the identifier of the network. @throws MESH_DISK_REFUSED */
  leasesOf(id: string): GuestLease[] {
    const ofHost = this.#ofHost.leasesOf(id);
    if (ofHost !== undefined) return ofHost;
    const space = [...this.#served.values()].map((served) => served.space).find(({ network }) => network === id);
    return space?.leases === undefined ? [] : leasesIn(space.leases, this.#input.clock.wallTime());
  }

  /** A service without a server is what its space has. */
  #stateOfSpace(space: ServiceSpace): StateNow {
    return this.#input.isInPlace(space) ? { state: 'ready' } : pending('the way outside has not been made yet');
  }

  close(): void {
    this.#leases?.close();
    for (const ear of [...this.#ears.values(), ...this.#answers.values()]) ear.close();
    this.#ears.clear();
    this.#answers.clear();
  }

  #serve(network: BridgedNetwork, given: readonly AssignedService[], vxlanPorts: readonly number[]): Served {
    const byServices = this.#known.get(network) ?? new Map();
    this.#known.set(network, byServices);
    const key = [...given.map(({ id }) => id), ...vxlanPorts].join(' ');
    const known = byServices.get(key);
    // The same content may come as another object, after a restart of host0.
    if (known?.given === given) return known.served;
    const space = known?.served.space ?? spaceOf(network, given, vxlanPorts, this.#input);
    const servers = new Map<string, NodeService | undefined>();
    const services = new Map<AssignedService, NodeService | undefined>();
    for (const service of given.filter(isKnown)) {
      const name = nameOf(network, service);
      const before = known?.served.services
        .values()
        .find((server: NodeService | undefined) => server?.process.name === name);
      if (!servers.has(name)) servers.set(name, before ?? this.#server(network, service, space, given));
      services.set(service, servers.get(name));
    }
    const served = { space, asker: nodeAddresses(network, this.#input.machine).bridgeMac, services };
    byServices.clear();
    byServices.set(key, { given, served });
    return served;
  }

  #server(
    network: BridgedNetwork,
    service: KnownService,
    space: ServiceSpace,
    given: readonly AssignedService[],
  ): NodeService | undefined {
    const { machine, directories, user } = this.#input;
    const { files, run } = directories;
    const name = nameOf(network, service);
    const configFile = join(files, `${name}.conf`);
    const needs = [spaceKey(space.name)];
    if (isDnsmasqService(service)) {
      const leases = leaseDirectory(directories.leases, space.name);
      return dnsmasqServer(network, given, machine, { name, netns: space.path, files, leases, needs });
    }
    if (service.kind === 'nat44' || service.kind === 'route') return undefined;
    if (service.kind !== 'ra')
      return nat64Server(network, service, machine, {
        ...{ name, netns: space.path, configFile, needs, ...(user && { user }) },
        directory: spaceDirectory(run, space.name),
      });
    const bounded = user?.canBound === true ? user : undefined;
    const pidFile = join(bounded?.directory ?? run, `${name}.pid`);
    const place = { name, network: network.name, netns: space.path, configFile, pidFile };
    return {
      network: network.id,
      process: radvdProcess({ ...place, ...(bounded && { user: bounded }) }),
      // radvd refuses a file that others may write.
      files: [{ path: configFile, content: radvdConf(SPACE_LINK, service.advertisement), mode: 0o644, read: 'signal' }],
      needs,
    };
  }
}

/** The programs by the kinds of services. The kernel alone does the work of `nat44` and `route`. */
const SERVERS = {
  ra: 'radvd',
  dhcp4: 'dnsmasq',
  dhcp6: 'dnsmasq',
  dns: 'dnsmasq',
  nat44: 'nat44',
  route: 'route',
  nat64: 'tayga',
  dns64: 'unbound',
} as const;

function nameOf({ number }: Network, { kind }: KnownService): string {
  return `${SERVERS[kind]}-${hexNumber(number)}`;
}

function spaceOf(
  network: BridgedNetwork,
  services: readonly AssignedService[],
  vxlanPorts: readonly number[],
  { machine, directories }: NetworkServersInput,
): ServiceSpace {
  const { addresses, ...extras } = spaceExtras(network, services, machine, vxlanPorts);
  const hex = hexNumber(network.number);
  const { mac, linkLocal } = serviceAddresses(network, machine);
  const name = `meshwork-${hex}`;
  return {
    network: network.id,
    name,
    path: join(directories.netns, name),
    port: servicePort(network),
    bridge: network.bridge.name,
    mac,
    mtuBytes: network.mtuBytes,
    addresses: [
      { address: linkLocal, length: LINK_LOCAL_LENGTH },
      ...dnsmasqAddresses(services, machine),
      ...addresses,
    ],
    ...(doesDhcp(services, machine) && {
      leases: leaseDirectory(directories.leases, name),
      gives: familiesGiven(services, machine),
    }),
    ...extras,
  };
}

/** In order, so that the same ports are the same space. */
function vxlanPortsOf(attachments: readonly NodeAttachment[]): readonly number[] {
  const ports = attachments.flatMap(({ network: { type } }) => (type.kind === 'vxlan' ? [type.udpPort] : []));
  return [...new Set(ports)].sort((a, b) => a - b);
}

function isKnown(service: AssignedService): service is KnownService {
  return service.kind !== 'other';
}

function pending(why: string): StateNow {
  return { state: 'pending', why };
}
