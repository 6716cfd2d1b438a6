/** What nodes are told of DHCP and DNS in a network: the services, with the guests and the shares of the nodes. Pure. */
import { eui64Address } from '../../model/address/eui64.ts';
import { type Ipv4, type Ipv4Cidr, ipv4InSubnet, isIpv4 } from '../../model/address/ipv4.ts';
import { type Ipv6, type Ipv6Cidr, ipv6InSubnet, ipv6WithSuffix } from '../../model/address/ipv6.ts';
import type { MachineWord } from '../../model/machine.ts';
import { derivedSuffix } from '../../model/network/address-derivation.ts';
import type { Network } from '../../model/network/network.ts';
import { rangesOfBlocks, withoutAddresses } from '../../model/network/services/address-range.ts';
import { type Dhcp4Service, dhcp4Ranges, dhcp4Subnet, type Reservation4 } from '../../model/network/services/dhcp4.ts';
import { type Dhcp6Service, dhcp6Ranges, type Reservation6 } from '../../model/network/services/dhcp6.ts';
import type { DnsService } from '../../model/network/services/dns.ts';
import { gatewaysOf } from '../../model/network/services/gateway.ts';
import type { NetworkService } from '../../model/network/services/network-service.ts';
import { prefixesOf } from '../../model/network/services/ra.ts';
import type {
  AssignedDhcp4,
  AssignedDhcp6,
  AssignedDns,
  DnsmasqService,
} from '../../protocol/documents/service/assigned-dhcp.ts';
import type { NamedGuest } from './guest-names.ts';
import type { ServiceRecord } from './service-record.ts';

/** What else is in the network. */
export interface NetworkSurroundings {
  /** Its services that are not being removed. */
  readonly services: readonly NetworkService[];
  readonly guests: readonly NamedGuest[];
}

/** A service without its identifier. */
export type ServiceContent<S extends DnsmasqService> = Omit<S, 'id' | 'kind'>;

/** A service that is being removed has no servers. */
type Shared = Pick<ServiceRecord, 'shares' | 'removing'>;

/** DHCP for IPv4. */
export function dhcp4Content(
  network: Network,
  service: Dhcp4Service,
  { shares = [], removing }: Shared,
  { services, guests }: NetworkSurroundings,
): ServiceContent<AssignedDhcp4> {
  const subnet = dhcp4Subnet(network);
  const ranges = subnet === undefined ? [] : dhcp4Ranges(service, subnet);
  const ofPorts = guests.flatMap(({ mac, addresses, name }) =>
    addresses.filter(isIpv4).flatMap((address): Reservation4[] => {
      return subnet !== undefined && ipv4InSubnet(address, subnet)
        ? [{ mac, address, ...(name !== undefined && { name }) }]
        : [];
    }),
  );
  const hosts = reservations(service.hosts, ofPorts);
  const given = [...gatewaysOf(network).map(({ address }) => address), ...(service.routers ?? [])];
  const taken = unreserved([...given, ...ofPorts.flatMap(({ address }) => address ?? [])], hosts);
  const servers = (removing === true || subnet === undefined ? [] : shares).flatMap(({ machine, address, blocks }) =>
    address === undefined
      ? []
      : [{ machine, address, ranges: withoutAddresses(rangesOfBlocks(ranges, blocks), taken) }],
  );
  const { leaseSec, resolvers } = service;
  const routers = service.routers ?? gatewayIn(network, subnet, services);
  const domain = service.domain ?? dnsOf(services)?.domain;
  return {
    ...(subnet !== undefined && { subnet }),
    servers,
    hosts,
    leaseSec,
    routers,
    ...(resolvers !== undefined && { resolvers }),
    ...(domain !== undefined && { domain }),
    mtuBytes: network.mtuBytes,
  };
}

/** The gateway of the subnet, where a router has it: it leads outside. */
function gatewayIn(network: Network, subnet: Ipv4Cidr | undefined, services: readonly NetworkService[]): Ipv4[] {
  const leads = services.some(
    (service) =>
      service.kind === 'nat44' || (service.kind === 'route' && service.uplinks.some(({ address }) => isIpv4(address))),
  );
  if (subnet === undefined || !leads) return [];
  return gatewaysOf(network).flatMap(({ address }) => (ipv4InSubnet(address, subnet) ? [address] : []));
}

/** DHCP for IPv6. */
export function dhcp6Content(
  network: Network,
  service: Dhcp6Service,
  { shares = [], removing }: Shared,
  { services, guests }: NetworkSurroundings,
): ServiceContent<AssignedDhcp6> {
  const [prefix] = prefixesOf(network);
  const ranges = prefix === undefined ? [] : dhcp6Ranges(service, prefix);
  const ofPorts = guests.flatMap(({ mac, addresses, name }) =>
    addresses.flatMap((address): Reservation6[] =>
      isIpv4(address) || prefix === undefined || !ipv6InSubnet(address, prefix)
        ? []
        : [{ mac, address, ...(name !== undefined && { name }) }],
    ),
  );
  const { leaseSec, mode, resolvers } = service;
  const hosts = mode === 'stateless' ? [] : reservations(service.hosts, ofPorts);
  const taken = unreserved(
    ofPorts.flatMap(({ address }) => address ?? []),
    hosts,
  );
  const servers = (removing === true ? [] : shares).flatMap(({ machine, blocks }) => {
    if (prefix === undefined) return [];
    const own = withoutAddresses(rangesOfBlocks(ranges, blocks), taken);
    return [{ machine, address: ownAddress6(network, prefix, machine), ranges: own }];
  });
  const domain = service.domain ?? dnsOf(services)?.domain;
  return {
    ...(prefix !== undefined && { prefix }),
    mode,
    servers,
    hosts,
    leaseSec,
    ...(resolvers !== undefined && { resolvers }),
    ...(domain !== undefined && { domain }),
  };
}

/** DNS. @param machines the nodes that serve */
export function dnsContent(
  network: Network,
  { domain, hosts, srv, txt, forwarders, localOnly }: DnsService,
  { shares = [], removing }: Shared,
  { services, guests }: NetworkSurroundings,
): ServiceContent<AssignedDns> {
  const [prefix] = prefixesOf(network);
  const machines = removing === true ? [] : shares.map(({ machine }) => machine);
  const known = removing === true ? [] : namesOf(network, services, guests);
  return {
    ...(domain !== undefined && { domain }),
    hosts: [...hosts, ...known],
    srv,
    txt,
    forwarders,
    localOnly,
    servers:
      prefix === undefined
        ? []
        : machines.map((machine) => ({ machine, address: ownAddress6(network, prefix, machine) })),
    ...(prefix !== undefined && { prefix }),
  };
}

/** A node's own address in a prefix: its last bits are those of no other node, and of no guest's Ethernet address. */
export function ownAddress6({ number }: Pick<Network, 'number'>, prefix: Ipv6Cidr, machine: MachineWord): Ipv6 {
  return ipv6WithSuffix(prefix, derivedSuffix('service', String(number), machine));
}

/** The names of reservations and of guests. Of a guest that addresses itself, that is the address of EUI-64. */
function namesOf(
  network: Network,
  services: readonly NetworkService[],
  guests: readonly NamedGuest[],
): AssignedDns['hosts'] {
  const reserved = services.flatMap((service): readonly (Reservation4 | Reservation6)[] =>
    service.kind === 'dhcp4' || service.kind === 'dhcp6' ? service.hosts : [],
  );
  const advertised = services.some(({ kind }) => kind === 'ra') ? prefixesOf(network) : [];
  const named: (readonly [address: Ipv4 | Ipv6, name: string | undefined])[] = [
    ...reserved.flatMap(({ address, name }) => (address === undefined ? [] : [[address, name] as const])),
    ...guests.flatMap(({ mac, addresses, name }) =>
      [...addresses, ...advertised.map((prefix) => eui64Address(prefix, mac))].map((one) => [one, name] as const),
    ),
  ];
  const names = new Map<Ipv4 | Ipv6, string>();
  for (const [address, name] of named) if (name !== undefined && !names.has(address)) names.set(address, name);
  return Array.from(names, ([address, name]) => ({ address, names: [name] }));
}

function dnsOf(services: readonly NetworkService[]): DnsService | undefined {
  return services.find((service) => service.kind === 'dns');
}

/**
 * What the administrator reserves goes before what follows from ports. A guest for which the administrator has reserved a name alone
 * gets the address of its port.
 */
function reservations<R extends Reservation4 | Reservation6>(reserved: readonly R[], ofPorts: readonly R[]): R[] {
  const given = new Set(reserved.flatMap(({ address }) => address ?? []));
  const whole = reserved.map((host): R => {
    if (host.address !== undefined || host.mac === undefined) return host;
    const port = ofPorts.find(({ mac, address }) => mac === host.mac && address !== undefined && !given.has(address));
    return port?.address === undefined ? host : { ...host, address: port.address };
  });
  const seen = new Set<string>();
  return [...whole, ...ofPorts].filter(({ mac, address }) => {
    const keys = [mac, address].filter((key) => key !== undefined);
    const isNew = keys.every((key) => !seen.has(key));
    if (isNew) for (const key of keys) seen.add(key);
    return isNew;
  });
}

/** Addresses that dnsmasq would give to anyone: it keeps those of reservations to itself, and knows no others. */
function unreserved<A extends Ipv4 | Ipv6>(given: readonly A[], hosts: readonly (Reservation4 | Reservation6)[]): A[] {
  const reserved = new Set<string>(hosts.flatMap(({ address }) => address ?? []));
  return given.filter((address) => !reserved.has(address));
}
