/** What DHCP and DNS need of their network, and which ranges and reservations fit. Pure. */
import { ipToBigint } from '../../model/address/ip-range.ts';
import { type Ipv4, type Ipv4Cidr, ipv4Range, isIpv4 } from '../../model/address/ipv4.ts';
import { type Ipv6, type Ipv6Cidr, ipv6InSubnet } from '../../model/address/ipv6.ts';
import { MeshError } from '../../model/error.ts';
import type { Network } from '../../model/network/network.ts';
import {
  type AddressRange,
  blockCount,
  haveCommon,
  isInRange,
  rangesSize,
} from '../../model/network/services/address-range.ts';
import { type Dhcp4Service, dhcp4Ranges, dhcp4Subnet, type Reservation4 } from '../../model/network/services/dhcp4.ts';
import { type Dhcp6Service, dhcp6Ranges, type Reservation6 } from '../../model/network/services/dhcp6.ts';
import { gatewaysOf } from '../../model/network/services/gateway.ts';
import type { NetworkService, ServiceKind } from '../../model/network/services/network-service.ts';
import { prefixesOf } from '../../model/network/services/ra.ts';
import type { NetworkSurroundings } from './assigned-dhcp.ts';
import type { NamedGuest } from './guest-names.ts';
import { freeAddresses, type SharesInput } from './server-shares.ts';

/** Whether the nodes that serve have shares of a service (`ServerShare`). */
export function hasShares(kind: ServiceKind): boolean {
  return kind === 'dhcp4' || kind === 'dhcp6' || kind === 'dns';
}

/** What is shared among the nodes that serve. */
export function sharedPlace(
  network: Network,
  service: NetworkService,
  guests: readonly NamedGuest[],
): Pick<SharesInput, 'blocks' | 'place'> {
  if (service.kind === 'dhcp6') {
    const [prefix] = prefixesOf(network);
    return { blocks: prefix === undefined ? 0 : blockCount(dhcp6Ranges(service, prefix)) };
  }
  const subnet = dhcp4Subnet(network);
  if (service.kind !== 'dhcp4' || subnet === undefined) return { blocks: 0 };
  const ranges = dhcp4Ranges(service, subnet);
  return { blocks: blockCount(ranges), place: { subnet, ranges, taken: takenIn(network, service, guests) } };
}

/** Addresses that no node gets for itself. */
function takenIn(network: Network, service: Dhcp4Service, guests: readonly NamedGuest[]): ReadonlySet<string> {
  const gateways = gatewaysOf(network).map(({ address }) => address);
  const reserved = service.hosts.flatMap(({ address }) => address ?? []);
  const ofGuests = guests.flatMap(({ addresses }) => addresses);
  return new Set([...gateways, ...reserved, ...ofGuests, ...(service.routers ?? []), ...(service.resolvers ?? [])]);
}

/**
 * Whether a network can have this service.
 * @param nodes how many nodes serve now
 * @throws MESH_NET_NOT_SUPPORTED, MESH_DHCP_RANGE, MESH_DHCP_RANGE_SMALL, MESH_DHCP_RESERVATION, MESH_NET_ADDRESSES_EXHAUSTED
 */
export function mustFitNetwork(
  network: Network,
  service: NetworkService,
  { services: others, guests }: NetworkSurroundings,
  nodes: number,
): void {
  if (service.kind === 'dns') mustBeReached(network, others);
  if (service.kind !== 'dhcp4' && service.kind !== 'dhcp6') return;
  const subnet = service.kind === 'dhcp4' ? dhcp4Subnet(network) : prefixesOf(network)[0];
  if (subnet === undefined) throw noSubnet(network, service.kind);
  const ranges = rangesOf(service, subnet);
  const routers = routersOf(network, service);
  if (service.ranges !== undefined) mustBeRanges(ranges, subnet, routers);
  mustBeReservations(service.hosts, subnet, routers);
  if (ranges.length > 0 && rangesSize(ranges) < BigInt(nodes)) throw tooSmall(ranges, nodes);
  const { place } = sharedPlace(network, service, guests);
  if (place !== undefined && freeAddresses(place, Math.max(1, nodes)) < Math.max(1, nodes))
    throw noRoom(network, place.subnet);
}

function rangesOf(service: Dhcp4Service | Dhcp6Service, subnet: Ipv4Cidr | Ipv6Cidr): readonly AddressRange[] {
  return service.kind === 'dhcp4' ? dhcp4Ranges(service, subnet as Ipv4Cidr) : dhcp6Ranges(service, subnet as Ipv6Cidr);
}

/** The IPv4 addresses that no guest may have: the gateways, also where no router has them yet, and the routers that guests are told. */
function routersOf(network: Network, service: Dhcp4Service | Dhcp6Service): readonly Ipv4[] {
  if (service.kind === 'dhcp6') return [];
  return [...gatewaysOf(network).map(({ address }) => address), ...(service.routers ?? [])];
}

/** Guests ask at the addresses of DHCPv4, or in a /64. */
function mustBeReached(network: Network, others: readonly NetworkService[]): void {
  if (prefixesOf(network).length > 0 || others.some(({ kind }) => kind === 'dhcp4')) return;
  throw new MeshError('MESH_NET_NOT_SUPPORTED', `network ${network.name} has no address at which DNS could answer`, {
    object: network.name,
    rule: 'Nodes answer DNS at their own addresses: in a /64 of the network, or at that of the service dhcp4.',
    remedy: `Give the network a /64, or first: \`mesh network service set ${network.name} dhcp4\`.`,
  });
}

function mustBeRanges(ranges: readonly AddressRange[], subnet: Ipv4Cidr | Ipv6Cidr, routers: readonly Ipv4[]): void {
  for (const [index, range] of ranges.entries()) {
    const text = `${range.first}-${range.last}`;
    const wrong = (what: string, rule: string) =>
      new MeshError('MESH_DHCP_RANGE', `the range ${text} ${what}`, {
        object: text,
        rule,
        remedy: `Write two addresses of ${subnet}, the lower one first, as ${exampleOf(subnet)}.`,
      });
    if (ipToBigint(range.first) > ipToBigint(range.last))
      throw wrong('ends before it begins', 'A range goes from its first address to its last.');
    const outside = [range.first, range.last].find((address) => !isHostOf(address, subnet));
    if (outside !== undefined)
      throw wrong(
        `leaves the hosts of ${subnet}: ${outside}`,
        'A range has addresses of hosts in the first subnet of its family.',
      );
    const router = routers.find((address) => isInRange(address, range));
    if (router !== undefined)
      throw wrong(`has ${router}, which is a router's`, 'A guest with the address of a router cuts all others off.');
    const other = ranges.slice(0, index).find((one) => haveCommon(one, range));
    if (other !== undefined)
      throw wrong(`overlaps ${other.first}-${other.last}`, 'Each address is in one range at most.');
  }
}

function mustBeReservations(
  hosts: readonly (Reservation4 | Reservation6)[],
  subnet: Ipv4Cidr | Ipv6Cidr,
  routers: readonly string[],
): void {
  const seen = new Map<string, string>();
  for (const host of hosts) {
    const { mac, address, name } = host;
    const id = 'id' in host ? host.id : undefined;
    const text = [mac ?? id, address, name].filter((part) => part !== undefined).join(',');
    const wrong = (what: string, rule: string, remedy: string) =>
      new MeshError('MESH_DHCP_RESERVATION', `the reservation ${text} ${what}`, { object: text, rule, remedy });
    if ((mac === undefined) === (id === undefined))
      throw wrong('names no guest', 'A guest is known by its Ethernet address or by its DUID.', 'Give one of the two.');
    if (address === undefined && name === undefined)
      throw wrong('reserves nothing', 'A reservation has an address, a name, or both.', 'Give one.');
    if (address !== undefined && !isHostOf(address, subnet))
      throw wrong(`is not in ${subnet}`, 'DHCP gives addresses of hosts in its subnet.', `Choose one of ${subnet}.`);
    if (address !== undefined && routers.includes(address))
      throw wrong(
        "has a router's address",
        'A guest with the address of a router cuts all others off.',
        'Choose another.',
      );
    for (const key of [mac, id, address, name]) {
      if (key === undefined) continue;
      const other = seen.get(key);
      if (other !== undefined)
        throw wrong(
          `has ${key}, which ${other} has too`,
          'A guest, an address and a name are in one reservation each.',
          'Leave one of the two out.',
        );
      seen.set(key, text);
    }
  }
}

/** Whether a host can have an address in a subnet. */
function isHostOf(address: Ipv4 | Ipv6, subnet: Ipv4Cidr | Ipv6Cidr): boolean {
  if (!isIpv4(address)) return subnet.includes(':') && ipv6InSubnet(address, subnet as Ipv6Cidr);
  if (subnet.includes(':')) return false;
  const { first, last } = ipv4Range(subnet as Ipv4Cidr);
  return isInRange(address, { first, last });
}

function exampleOf(subnet: Ipv4Cidr | Ipv6Cidr): string {
  if (subnet.includes(':')) return `${subnet.replace('/64', '1:0')}-${subnet.replace('/64', '1:ffff')}`;
  return dhcp4Ranges({}, subnet as Ipv4Cidr)
    .map(({ first, last }) => `${first}-${last}`)
    .join();
}

function noSubnet({ name }: Network, kind: 'dhcp4' | 'dhcp6'): MeshError {
  const needed = kind === 'dhcp4' ? 'IPv4 subnet of at most 29 bits' : '/64 that routers may advertise';
  return new MeshError('MESH_NET_NOT_SUPPORTED', `network ${name} has no ${needed}: there is nothing to give`, {
    object: name,
    rule: 'DHCP gives addresses in the first subnet of its family.',
    remedy: 'Give the network one in its subnets, or one of an address pool: see `mesh ipam pool list`.',
  });
}

function tooSmall(ranges: readonly AddressRange[], nodes: number): MeshError {
  const [first] = ranges;
  return new MeshError('MESH_DHCP_RANGE_SMALL', `${rangesSize(ranges)} addresses are too few for ${nodes} nodes`, {
    ...(first !== undefined && { object: `${first.first}-${first.last}` }),
    rule: 'Each node that serves gives from a block of its own, so that no two give the same address.',
    remedy: 'Widen the range, or name fewer nodes with --node.',
  });
}

function noRoom({ name }: Network, subnet: Ipv4Cidr): MeshError {
  return new MeshError('MESH_NET_ADDRESSES_EXHAUSTED', `${subnet} of ${name} has no address left for each node`, {
    object: name,
    rule: 'Each node that serves has an address of its own in the subnet, outside of the ranges and reservations.',
    remedy: 'Choose smaller ranges, or name fewer nodes with --node.',
  });
}
