/** What a node is told of a service: the record, with the parts of the network that the service needs. Pure. */
import { createHash } from 'node:crypto';
import { ipv6WithSuffix } from '../../model/address/ipv6.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { Network } from '../../model/network/network.ts';
import { gatewaysOf, ipv4SubnetsOf } from '../../model/network/services/gateway.ts';
import type { Nat44Service } from '../../model/network/services/nat44.ts';
import type { NetworkService } from '../../model/network/services/network-service.ts';
import { prefixesOf, type RaService } from '../../model/network/services/ra.ts';
import { type RouteService, routedSubnets } from '../../model/network/services/route.ts';
import type { DnsmasqService } from '../../protocol/documents/service/assigned-dhcp.ts';
import type {
  AdvertisedPrefix,
  AssignedRa,
  RouterAdvertisement,
} from '../../protocol/documents/service/assigned-ra.ts';
import type { AssignedNat44, AssignedRoute } from '../../protocol/documents/service/assigned-routing.ts';
import type { KnownService } from '../../protocol/documents/service/assigned-service.ts';
import { dhcp4Content, dhcp6Content, dnsContent, type NetworkSurroundings } from './assigned-dhcp.ts';
import type { ServiceRecord } from './service-record.ts';

/**
 * Lifetimes that a network survives the loss of a router with: an advertisement comes every 3 to 4 s, so a guest misses two before
 * it gives a router up after 12 s. A prefix that nobody advertises any more is not used for new connections after an hour.
 */
const ROUTER_LIFETIME_SEC = 12;
const REACHABLE_MS = 3_000;
const PREFERRED_SEC = 3_600;
const VALID_SEC = 7_200;
const DIGEST_HEX = 16;

/** Where DNS64 listens, in the first /64 of its network. */
const DNS64_SUFFIX = '0000000000006464';

/** A network of which nothing else is known. */
const ALONE: NetworkSurroundings = { services: [], guests: [] };

/**
 * What each node that serves is given of a service.
 * @param active the router that has what exists once in the network
 * @param around what else is in the network
 */
export function assignedService(
  network: Network,
  record: ServiceRecord,
  active: MachineWord | undefined,
  around: NetworkSurroundings = ALONE,
): KnownService {
  const { service, removing } = record;
  const told = <K extends DnsmasqService['kind'], C>(kind: K, content: C) => ({
    ...content,
    kind,
    id: idOf(network, kind, content),
  });
  if (service.kind === 'ra') return assignedRa(network, service, record, around.services);
  if (service.kind === 'dhcp4') return told('dhcp4', dhcp4Content(network, service, record, around));
  if (service.kind === 'dhcp6') return told('dhcp6', dhcp6Content(network, service, record, around));
  if (service.kind === 'dns') return told('dns', dnsContent(network, service, record, around));
  const guests = prefixesOf(network);
  const router = active === undefined || removing === true ? {} : { active };
  if (service.kind === 'nat44') return assignedNat44(network, service, router);
  if (service.kind === 'route') return assignedRoute(network, service, router);
  if (service.kind === 'nat64') {
    const { prefix, device, address, length, gateway, block } = service;
    const maps = service.maps.map(({ ipv4, ipv6 }) => ({ ipv4, ipv6 }));
    const outside = { device, address, length, ...(gateway !== undefined && { gateway }), block, maps };
    const content = { ...router, guests, prefix, ...outside };
    return { kind: 'nat64', id: idOf(network, 'nat64', content), ...content };
  }
  const [first] = guests;
  const { prefix, forwarders } = service;
  const at = first === undefined ? {} : { address: ipv6WithSuffix(first, DNS64_SUFFIX) };
  const content = { ...router, ...at, guests, prefix, forwarders };
  return { kind: 'dns64', id: idOf(network, 'dns64', content), ...content };
}

function assignedRa(
  network: Network,
  service: RaService,
  { announced = [], removing }: ServiceRecord,
  services: readonly NetworkService[],
): AssignedRa {
  const now = new Set(removing === true ? [] : prefixesOf(network));
  const prefixes = announced.map((prefix): AdvertisedPrefix => {
    if (!now.has(prefix)) return { prefix, validSec: 0, preferredSec: 0 };
    return { prefix, validSec: VALID_SEC, preferredSec: PREFERRED_SEC };
  });
  const { resolvers = [], searchDomains = [] } = service;
  const advertisement = {
    lifetimeSec: removing === true ? 0 : ROUTER_LIFETIME_SEC,
    reachableMs: REACHABLE_MS,
    mtuBytes: network.mtuBytes,
    prefixes,
    resolvers,
    searchDomains,
    ...dhcpFlags(services),
  };
  return { kind: 'ra', id: idOf(network, 'ra', advertisement), advertisement };
}

/** Guests ask DHCPv6 only where advertisements tell of it. */
function dhcpFlags(services: readonly NetworkService[]): Pick<RouterAdvertisement, 'managed' | 'otherConfig'> {
  const dhcp = services.find((service) => service.kind === 'dhcp6');
  if (dhcp === undefined) return {};
  return { ...(dhcp.mode === 'stateful' && { managed: true }), otherConfig: true };
}

/** Who has what exists once. */
type Router = Pick<AssignedNat44, 'active'>;

function assignedNat44(network: Network, service: Nat44Service, router: Router): AssignedNat44 {
  const { kind: _, nodes: __, ...outside } = service;
  const guests = ipv4SubnetsOf(network).map(({ cidr }) => cidr);
  const content = { ...router, guests, gateways: gatewaysOf(network), ...outside };
  return { kind: 'nat44', id: idOf(network, 'nat44', content), ...content };
}

function assignedRoute(network: Network, service: RouteService, router: Router): AssignedRoute {
  const { device, uplinks } = service;
  const guests = routedSubnets(network, service);
  const hasIpv4 = guests.some((cidr) => !cidr.includes(':'));
  const content = { ...router, guests, gateways: hasIpv4 ? gatewaysOf(network) : [], device, uplinks };
  return { kind: 'route', id: idOf(network, 'route', content), ...content };
}

/** A state of a node names this, so that the state is about exactly this content. */
function idOf({ id }: Network, kind: string, content: unknown): string {
  const digest = createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, DIGEST_HEX);
  return `${id}.${kind}.${digest}`;
}
