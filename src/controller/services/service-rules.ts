/** Which services a network can have, and which go together. Pure. */
import { type Ipv4, type Ipv4Cidr, ipv4InSubnet, ipv4Overlap, ipv4Subnet, isIpv4 } from '../../model/address/ipv4.ts';
import { type Ipv6, ipv6InSubnet, ipv6Subnet, isLinkLocal, parseIpv6 } from '../../model/address/ipv6.ts';
import { MeshError } from '../../model/error.ts';
import type { Network } from '../../model/network/network.ts';
import type { Dns64Service } from '../../model/network/services/dns64.ts';
import { ipv4SubnetsOf } from '../../model/network/services/gateway.ts';
import type { Nat44Service } from '../../model/network/services/nat44.ts';
import type { Nat64Service } from '../../model/network/services/nat64.ts';
import type { NetworkService, ServiceKind } from '../../model/network/services/network-service.ts';
import { prefixesOf } from '../../model/network/services/ra.ts';
import type { RouteService, Uplink } from '../../model/network/services/route.ts';
import { hasShares } from './address-service-rules.ts';
import type { ServiceRecord } from './service-record.ts';

/** A service that leads outside. */
type OuterService = Nat44Service | RouteService | Nat64Service;

/** Whether a network can have services at all. @throws MESH_NET_SOURCE, MESH_NET_NOT_SUPPORTED */
export function mustBeServable({ name, source, bridge, hostAddress }: Network): void {
  if (source === 'file')
    throw new MeshError('MESH_NET_SOURCE', `network ${name} is defined by its network file`, {
      object: name,
      rule: 'host0 gives services to the networks that it keeps.',
      remedy: 'Make a network of the store: `mesh network create NAME`',
    });
  if (bridge !== undefined && hostAddress.kind === 'none') return;
  const [what, remedy] =
    bridge === undefined
      ? ['has no bridge of Meshwork', 'Make a network of the type vxlan or bridge']
      : [`has host addresses of the kind ${hostAddress.kind}`, 'Choose the hostAddress none'];
  throw new MeshError('MESH_NET_NOT_SUPPORTED', `network ${name} ${what}: this version does not serve it`, {
    object: name,
    rule: 'A network is served from a namespace of its own, behind its bridge.',
    remedy,
  });
}

/**
 * Whether a network can have a service beside those that it has.
 * @throws MESH_NET_NOT_SUPPORTED, MESH_USAGE
 */
export function mustGoWith(network: Network, service: NetworkService, records: readonly ServiceRecord[]): void {
  mustHaveAddresses(network, service);
  const others = records.flatMap((record) =>
    record.removing === true || record.service.kind === service.kind ? [] : [record.service],
  );
  if (service.kind === 'dns64') mustLeadOut(network, service, others.find(isNat64));
  if (!isOuter(service)) return;
  for (const uplink of uplinksOf(service)) mustBeOutside(network, uplink);
  for (const other of others) if (isOuter(other)) mustShareWay(network, service, other);
}

/** Refuses to take away the service to which another one leads. @throws MESH_NET_NOT_SUPPORTED */
export function mustNotLeadFrom({ name }: Network, kind: ServiceKind, records: readonly ServiceRecord[]): void {
  if (kind !== 'nat64') return;
  if (!records.some(({ service, removing }) => service.kind === 'dns64' && removing !== true)) return;
  throw new MeshError('MESH_NET_NOT_SUPPORTED', `the DNS64 of ${name} leads to its NAT64`, {
    object: name,
    rule: 'DNS64 tells guests addresses in the /96 of the NAT64 of their network.',
    remedy: `Take the DNS64 away first: \`mesh network service remove ${name} dns64\`.`,
  });
}

/** @throws MESH_NET_NOT_SUPPORTED */
function mustHaveAddresses(network: Network, service: NetworkService): void {
  const { name } = network;
  if (service.kind === 'nat44') mustHaveIpv4(network, 'NAT44');
  if (service.kind === 'route') {
    if (service.uplinks.some(({ address }) => isIpv4(address))) mustHaveIpv4(network, 'routing of IPv4');
    const hasIpv6 = network.subnets.some(({ cidr }) => cidr.includes(':'));
    if (hasIpv6 || !service.uplinks.some(({ address }) => !isIpv4(address))) return;
    throw new MeshError('MESH_NET_NOT_SUPPORTED', `network ${name} has no IPv6 subnet: nothing would be routed`, {
      object: name,
      rule: 'The subnets of a network are routed, each through an --address of its family.',
      remedy: 'Give the network a /64 in its subnets, and the service ra.',
    });
  }
  if (service.kind === 'ra' || service.kind === 'nat44' || hasShares(service.kind) || prefixesOf(network).length > 0)
    return;
  throw new MeshError('MESH_NET_NOT_SUPPORTED', `network ${name} has no /64: its guests have no addresses`, {
    object: name,
    rule: 'NAT64 leads to addresses that guests give themselves in a /64 of their network.',
    remedy: 'Give the network a /64 in its subnets, and the service ra.',
  });
}

/** @throws MESH_NET_NOT_SUPPORTED */
function mustHaveIpv4(network: Network, what: string): void {
  if (ipv4SubnetsOf(network).length > 0) return;
  throw new MeshError('MESH_NET_NOT_SUPPORTED', `network ${network.name} has no IPv4 subnet for ${what}`, {
    object: network.name,
    rule: 'Guests have IPv4 addresses in a subnet of their network, of 30 bits at most: the active router is its gateway.',
    remedy: `Give the network a subnet: \`mesh network edit ${network.name}\`.`,
  });
}

/** An address outside with the next router, of one family. @throws MESH_USAGE */
function mustBeOutside({ name, subnets }: Network, { address, length, gateway }: Uplink): void {
  const overlapping = subnets.find(({ cidr }) => overlaps(cidr, address, length));
  if (overlapping !== undefined)
    throw new MeshError('MESH_USAGE', `${address}/${length} is no subnet outside: ${name} has ${overlapping.cidr}`, {
      object: address,
      rule: 'The subnet outside and those of the network have no address in common.',
      remedy: 'Write --address with the length of its subnet outside, as 10.11.0.200/24.',
    });
  if (gateway === undefined || isNextTo(gateway, address, length)) return;
  throw new MeshError('MESH_USAGE', `the gateway ${gateway} is not in the subnet of ${address}/${length}`, {
    object: gateway,
    rule: 'The next router is in the subnet outside; over IPv6, it may have a link-local address.',
    remedy: 'Choose another --gateway, or write --address with the length of its subnet.',
  });
}

/** Services of one network share its way out: one device, and one next router for a family. @throws MESH_USAGE */
function mustShareWay({ name }: Network, service: OuterService, other: OuterService): void {
  const refused = (what: string, remedy: string) =>
    new MeshError('MESH_USAGE', `the services ${other.kind} and ${service.kind} of ${name} ${what}`, {
      object: name,
      rule: 'The services of a network share one way out: a device, and a next router for each family.',
      remedy,
    });
  if (other.device !== service.device)
    throw refused(`lead outside by ${other.device} and by ${service.device}`, `Use --device ${other.device}.`);
  for (const { address, length, gateway } of uplinksOf(service)) {
    const beside = uplinksOf(other).find((uplink) => isIpv4(uplink.address) === isIpv4(address));
    if (beside === undefined) continue;
    if (beside.gateway !== gateway)
      throw refused(
        `have different next routers: ${beside.gateway ?? 'none'} and ${gateway ?? 'none'}`,
        beside.gateway === undefined ? 'Leave --gateway out.' : `Use --gateway ${beside.gateway}.`,
      );
    if (beside.address === address && beside.length !== length)
      throw refused(`give ${address} different lengths`, `Use --address ${address}/${beside.length}.`);
  }
  const [nat44, route] = [service, other].toSorted((a, b) => (a.kind < b.kind ? -1 : 1));
  if (nat44?.kind !== 'nat44' || route?.kind !== 'route') return;
  if (!route.uplinks.some(({ address }) => isIpv4(address))) return;
  throw refused(
    'exclude each other for IPv4',
    `Take one away: \`mesh network service remove ${name} ${other.kind}\`, or route IPv6 alone.`,
  );
}

/**
 * The addresses that DNS64 tells guests lead to the NAT64 of their network, and nowhere else.
 * @throws MESH_NET_NOT_SUPPORTED, MESH_USAGE
 */
function mustLeadOut({ name }: Network, { prefix }: Dns64Service, nat64: Nat64Service | undefined): void {
  const rule = 'DNS64 tells guests addresses in the /96 of the NAT64 of their network.';
  if (nat64 === undefined)
    throw new MeshError('MESH_NET_NOT_SUPPORTED', `network ${name} has no NAT64: DNS64 would lead nowhere`, {
      object: name,
      rule,
      remedy: `Give it first: \`mesh network service set ${name} nat64 …\`.`,
    });
  if (nat64.prefix === prefix) return;
  throw new MeshError('MESH_USAGE', `${prefix} is not the prefix of the NAT64 of ${name}`, {
    object: prefix,
    rule,
    remedy: `Use --prefix ${nat64.prefix}.`,
  });
}

function uplinksOf(service: OuterService): readonly Uplink[] {
  return service.kind === 'route' ? service.uplinks : [service];
}

function isOuter(service: NetworkService): service is OuterService {
  return service.kind === 'nat44' || service.kind === 'route' || service.kind === 'nat64';
}

function isNat64(service: NetworkService): service is Nat64Service {
  return service.kind === 'nat64';
}

function overlaps(cidr: Network['subnets'][number]['cidr'], address: Ipv4 | Ipv6, length: number): boolean {
  if (cidr.includes(':') === isIpv4(address)) return false;
  if (isIpv4(address)) return ipv4Overlap(ipv4Subnet(address, length), cidr as Ipv4Cidr);
  const [base = '', own = '0'] = cidr.split('/');
  const shorter = Math.min(length, Number(own));
  return ipv6InSubnet(parseIpv6(base), ipv6Subnet(address, shorter));
}

function isNextTo(gateway: Ipv4 | Ipv6, address: Ipv4 | Ipv6, length: number): boolean {
  if (isIpv4(gateway)) return isIpv4(address) && ipv4InSubnet(gateway, ipv4Subnet(address, length));
  return isLinkLocal(gateway) || (!isIpv4(address) && ipv6InSubnet(gateway, ipv6Subnet(address, length)));
}
