/**
 * What a node runs for the networks on whose bridges it has addresses: a dnsmasq for each, in the namespace of the bridges. It serves at the
 * node's own addresses, and on that bridge alone.
 */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Ip } from '../../kernel/ip.ts';
import { type Mac, parseMac } from '../../model/address/mac.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { Network } from '../../model/network/network.ts';
import { hexNumber, type NetworkId } from '../../model/network/number.ts';
import { isServedByNodes } from '../../model/network/services/host-subnets.ts';
import type { AssignedPort, NodeAttachment } from '../../protocol/documents/node-assignment.ts';
import type { GuestLease } from '../../protocol/documents/service/guest-lease.ts';
import type { AssignedWorkload } from '../../protocol/documents/workload/assigned-workload.ts';
import { resolversIn, serversText } from '../../services/dnsmasq/dns-part.ts';
import { dnsmasqProcess } from '../../services/dnsmasq/dnsmasq-process.ts';
import { hostConf, hostNames, hostReservations, isServedByHost } from '../../services/dnsmasq/host-conf.ts';
import type { Launcher } from '../../services/process/launcher.ts';
import { refusedState, type StateNow } from '../assignment/object-state.ts';
import { type BridgedNetwork, hasBridge } from '../desired/bridged-network.ts';
import { hostShares } from '../desired/host-shares.ts';
import type { LeasedAddresses } from '../desired/leased-addresses.ts';
import type { NodeService } from '../desired/parts/service.ts';
import type { GuestAddresses } from '../desired/rules/routing/routed-here.ts';
import { addressItemKey } from '../items/address.ts';
import { linkKey } from '../items/link.ts';
import { LEASES_SUFFIX, leaseFilesIn, leasesAt } from './lease-files.ts';

/** What the servers need of their node. */
export interface HostServersInput {
  readonly machine: MachineWord;
  readonly launcher: Pick<Launcher, 'running' | 'errorOf' | 'present'>;
  readonly directories: {
    /** The files that servers read. All files below are the agent's. */
    readonly files: string;
    /** The leases of networks. */
    readonly leases: string;
  };
  readonly wallTime: () => Date;
  /** The file with the servers that this machine asks for names. */
  readonly resolvConf?: string;
}

/** What a node knows of guests beside their leases. */
export interface KnownGuests {
  readonly ports: readonly AssignedPort[];
  readonly workloads: readonly AssignedWorkload[];
  /** All networks of the node; absent while not all are known. */
  readonly networks?: readonly Network[];
}

type ServedAttachment = Pick<NodeAttachment, 'network' | 'hostAddresses' | 'dhcpRanges' | 'peers'>;

interface Served {
  readonly network: Network;
  readonly hostAddresses: NodeAttachment['hostAddresses'];
  /** What says from which addresses the node gives. */
  readonly shares: NodeAttachment['dhcpRanges'] | NodeAttachment['peers'];
  /** The text of the file of servers. */
  readonly servers: string;
  readonly server: NodeService;
}

const RESOLV_CONF = '/etc/resolv.conf';
const NO_GUESTS: ReadonlyMap<NetworkId, GuestAddresses> = new Map();

/** Plans the servers of a node, and tells how they are. */
export class HostServers {
  readonly #input: HostServersInput;
  readonly #known = new WeakMap<Network, Served>();
  #served: ReadonlyMap<NetworkId, Served> = new Map();
  #leased: { readonly served: readonly Served[]; readonly isStale: boolean; readonly map: LeasedAddresses } = {
    served: [],
    isStale: true,
    map: new Map(),
  };
  /** The networks of the last time at which no leases of others were left. */
  #swept: readonly Pick<Network, 'number'>[] | undefined;
  #guests: { readonly text: string; readonly map: ReadonlyMap<NetworkId, GuestAddresses> } = {
    text: '',
    map: NO_GUESTS,
  };

  constructor(input: HostServersInput) {
    this.#input = input;
  }

  /**
   * The servers for these attachments. Unchanged ones are the same objects as before.
   * @param here all networks of the node, also those that it cannot make now; undefined while not all are known
   */
  plan(attachments: readonly ServedAttachment[], here?: readonly Pick<Network, 'number'>[]): readonly NodeService[] {
    const servers = this.#servers();
    const served = new Map<NetworkId, Served>();
    for (const attachment of attachments) {
      const { network, hostAddresses } = attachment;
      const shares = isServedByNodes(network) ? (attachment.dhcpRanges ?? attachment.peers) : undefined;
      if (!hasBridge(network) || !isServedByHost(network, hostAddresses)) continue;
      const before = this.#known.get(network);
      const isSame =
        before?.hostAddresses === hostAddresses && before?.shares === shares && before?.servers === servers;
      const now = isSame
        ? before
        : { network, hostAddresses, shares, servers, server: this.#server(network, attachment, servers) };
      this.#known.set(network, now);
      served.set(network.id, now);
    }
    this.#served = served;
    this.#dropLeases(here);
    return Array.from(served.values(), ({ server }) => server);
  }

  /** The addresses of guests in networks whose rules name guests: the same object while nothing has changed. */
  guests(attachments: readonly ServedAttachment[], known: KnownGuests): ReadonlyMap<NetworkId, GuestAddresses> {
    const map = new Map<NetworkId, GuestAddresses>();
    for (const { network } of attachments) {
      const wanted = network.routing.rules.flatMap(({ forwardTo }) =>
        forwardTo !== undefined && 'guest' in forwardTo ? [forwardTo.guest] : [],
      );
      if (wanted.length > 0 && this.#served.has(network.id))
        map.set(network.id, this.#addresses(network, wanted, known));
    }
    const text = JSON.stringify([...map].map(([id, addresses]) => [id, [...addresses]]));
    if (text !== this.#guests.text) this.#guests = { text, map };
    return this.#guests.map;
  }

  /**
   * The addresses that the guests of this node's ports have from the servers here, by a reservation or a lease: a guest may send from
   * them. The same object while nothing has changed.
   */
  leased({ ports }: Pick<KnownGuests, 'ports'>): LeasedAddresses {
    const ids = new Set(ports.flatMap(({ tap, network }) => (tap ? [network] : [])));
    const served = Array.from(ids, (id) => this.#served.get(id)).filter((one) => one !== undefined);
    const known = this.#leased;
    const isSame = known.served.length === served.length && served.every((one, at) => known.served[at] === one);
    if (!known.isStale && isSame) return known.map;
    const map = new Map(served.map((one) => [one.network.id, this.#addressesByMac(one)]));
    this.#leased = { served, isStale: false, map: isDeepStrictEqual(map, known.map) ? known.map : map };
    return this.#leased.map;
  }

  /** Leases have changed. */
  look(): void {
    this.#leased = { ...this.#leased, isStale: true };
  }

  /** Whether a rule of a network names a guest, or guests here may have leases. */
  get knowsGuests(): boolean {
    return this.#guests.map.size > 0 || this.#leased.map.size > 0;
  }

  /** How the server of a network is; undefined for a network that has none. */
  stateOf({ id }: Pick<Network, 'id'>): StateNow | undefined {
    const process = this.#served.get(id)?.server.process;
    if (process === undefined) return undefined;
    const { launcher } = this.#input;
    const error = launcher.errorOf(process.name);
    if (error !== undefined) return refusedState(error);
    if (launcher.running(process.name)?.ready === true) return { state: 'ready' };
    return { state: 'pending', why: `${process.title} has not started yet` };
  }

  /** The leases of guests that this node has given in a network; undefined for a network that has no server here. @throws MESH_DISK_REFUSED */
  leasesOf(id: string): GuestLease[] | undefined {
    const served = [...this.#served].find(([network]) => network === id);
    if (served === undefined) return undefined;
    return this.#leases(served[1].server.process.name);
  }

  /** dnsmasq could watch resolv.conf itself; but each would take one of the 128 inotify instances of its user, and fail without the file. */
  #servers(): string {
    try {
      return serversText(resolversIn(readFileSync(this.#input.resolvConf ?? RESOLV_CONF, 'utf8')));
    } catch {
      return '';
    }
  }

  #leases(name: string): GuestLease[] {
    return leasesAt(this.#leaseFile(name), this.#input.wallTime());
  }

  /** The leases as far as they can be read: a pass of the loop goes on without them. */
  #readableLeases(name: string): GuestLease[] {
    try {
      return this.#leases(name);
    } catch {
      return [];
    }
  }

  /**
   * Removes the leases of networks that this node has no more: the next network with the number would begin with them.
   * @param here the networks that the node has; undefined while not all are known
   */
  #dropLeases(here: readonly Pick<Network, 'number'>[] | undefined): void {
    if (here === undefined || here === this.#swept) return;
    const names = new Set(here.map(nameOf));
    const left = leaseFilesIn(this.#input.directories.leases).filter((name) => !names.has(name));
    // A server that still runs writes its file again.
    const ended = left.filter((name) => !this.#input.launcher.present().some((process) => process.name === name));
    for (const name of ended) rmSync(this.#leaseFile(name), { force: true });
    if (ended.length === left.length) this.#swept = here;
  }

  #addressesByMac({ network, server }: Served): ReadonlyMap<Mac, readonly Ip[]> {
    const reserved = network.subnets.flatMap(({ dhcp }) => dhcp?.hosts ?? []);
    const leases = this.#readableLeases(server.process.name);
    const given = [...reserved, ...leases.map((lease) => ({ mac: macOfDuid(lease.duid), ...lease }))].flatMap(
      ({ mac, address }) => (mac === undefined || address === undefined ? [] : [{ mac, address }]),
    );
    const byMac = Map.groupBy(given, ({ mac }) => mac);
    return new Map(Array.from(byMac, ([mac, list]) => [mac, [...new Set(list.map(({ address }) => address))]]));
  }

  #leaseFile(name: string): string {
    return join(this.#input.directories.leases, `${name}${LEASES_SUFFIX}`);
  }

  #server(network: BridgedNetwork, attachment: ServedAttachment, servers: string): NodeService {
    const given = attachment.hostAddresses ?? [];
    const shares = hostShares(attachment, this.#input.machine);
    const { files, leases } = this.#input.directories;
    const name = nameOf(network);
    const [configFile, reservationFile, hostsFile, serversFile] = ['conf', 'reservations', 'hosts', 'servers'].map(
      (what) => join(files, `${name}.${what}`),
    ) as [string, string, string, string];
    mkdirSync(leases, { recursive: true });
    const device = network.bridge.name;
    const leaseFile = this.#leaseFile(name);
    const hasOthers = shares !== undefined;
    const place = { reservationFile, hostsFile, serversFile, leaseFile };
    const conf = hostConf({ network, device, given, hasOthers, ...(shares && { shares }), ...place });
    const file = (path: string, content: string, read: 'start' | 'signal') => ({ path, content, mode: 0o644, read });
    return {
      network: network.id,
      process: dnsmasqProcess({ name, network: network.name, configFile }),
      files: [
        file(configFile, conf, 'start'),
        file(reservationFile, hostReservations(network), 'signal'),
        file(hostsFile, hostNames(network), 'signal'),
        file(serversFile, servers, 'signal'),
      ],
      needs: [linkKey('bridge', network.id), ...given.map(({ address }) => addressItemKey(device, address))],
    };
  }

  /**
   * By the owner of a port and by a reservation. The name that a guest tells with its lease counts only where neither is known: any
   * guest can tell any name, and would get what is meant for another.
   */
  #addresses(network: Network, wanted: readonly string[], { ports, workloads }: KnownGuests): GuestAddresses {
    const leases = this.#readableLeases(nameOf(network));
    const hosts = network.subnets.flatMap(({ dhcp }) => dhcp?.hosts ?? []);
    return new Map(
      wanted.map((name): [string, readonly Ip[]] => {
        const owned = workloads
          .filter(({ workload }) => workload.name === name)
          .flatMap((one) => ports.filter(({ id, network: of }) => of === network.id && isPortOf(one, id)));
        const reserved = hosts.filter((host) => host.name === name);
        const macs = new Set([...owned, ...reserved].flatMap(({ mac }) => mac ?? []));
        const duids = new Set(reserved.flatMap(({ id }) => id?.toLowerCase() ?? []));
        const isKnown = owned.length + reserved.length > 0;
        const isOf = (lease: GuestLease) =>
          isKnown
            ? (lease.mac !== undefined && macs.has(lease.mac)) || (lease.duid !== undefined && duids.has(lease.duid))
            : lease.name === name;
        const named = [
          ...owned.flatMap(({ addresses = [] }) => addresses),
          ...reserved.flatMap(({ address }) => address ?? []),
          ...leases.filter(isOf).map(({ address }) => address),
        ];
        return [name, [...new Set(named)]];
      }),
    );
  }
}

function isPortOf({ ports }: AssignedWorkload, id: string | undefined): boolean {
  return id !== undefined && Object.values(ports).includes(id);
}

function nameOf({ number }: Pick<Network, 'number'>): string {
  return `dnsmasq-${hexNumber(number)}`;
}

/** A DUID of an Ethernet address, with a time or without (RFC 8415 §11.2, §11.4): others do not tell whose they are. */
const ETHERNET_DUID = /^00:0(?:1:00:01(?::[0-9a-f]{2}){4}|3:00:01):((?:[0-9a-f]{2}:){5}[0-9a-f]{2})$/;

function macOfDuid(duid = ''): Mac | undefined {
  const [, mac] = ETHERNET_DUID.exec(duid) ?? [];
  return mac === undefined ? undefined : parseMac(mac);
}
