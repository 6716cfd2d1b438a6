/** The way out of the space of a network on its active router: what all of its services that lead outside need of it. Pure. */
import { type Ip, isIpv6 } from '../../kernel/ip.ts';
import {
  type Ipv4,
  type Ipv4Cidr,
  ipv4FromNumber,
  ipv4Length,
  ipv4Overlap,
  ipv4Subnet,
  ipv4ToNumber,
} from '../../model/address/ipv4.ts';
import { type Ipv6Cidr, ipv6WithSuffix } from '../../model/address/ipv6.ts';
import type { MachineWord } from '../../model/machine.ts';
import { derivedMac, derivedSuffix, linkLocalWith } from '../../model/network/address-derivation.ts';
import type { Network } from '../../model/network/network.ts';
import type { Ipv4Row } from '../../model/network/services/nat44.ts';
import type { AssignedNat64 } from '../../protocol/documents/service/assigned-nat64.ts';
import type { AssignedNat44, AssignedRoute } from '../../protocol/documents/service/assigned-routing.ts';
import type { Translation } from '../../services/tayga/tayga-conf.ts';
import type { OuterPlace } from '../items/space/outer-place.ts';

/** A service that leads outside. */
export type LeadingOut = AssignedNat44 | AssignedRoute | AssignedNat64;

type PlacedAddress = OuterPlace['addresses'][number];

/** The addresses of the translator itself, and of guests without an address of their own. They are seen in its namespace alone. */
const TRANSLATOR_IPV4 = '192.0.0.2' as Ipv4;
const POOL = '100.126.0.0/16' as Ipv4Cidr;
/** In the first /64 of the network, beside DNS64's `::6464`. */
const TRANSLATOR_SUFFIX = '0000000000006400';
const LINK_LOCAL_LENGTH = 64;
const HOST_LENGTH = 32;

/** The way out for services of one device; undefined where nothing leads outside. */
export function wayOut(
  network: Network,
  services: readonly LeadingOut[],
  machine: MachineWord,
  vxlanPorts: readonly number[],
): OuterPlace | undefined {
  const leading = services.filter((service) => service.kind !== 'nat64' || translationOf(service) !== undefined);
  const [first] = leading;
  if (first === undefined) return undefined;
  const { device } = first;
  const own = [String(network.number), machine, device] as const;
  const uplinks = leading.flatMap(uplinksOf);
  const hasIpv6 = uplinks.some(({ address }) => isIpv6(address));
  // Without a link-local address, the device cannot ask for its neighbours.
  const linkLocal = { address: linkLocalWith(derivedSuffix('outer', ...own)), length: LINK_LOCAL_LENGTH };
  const addresses = [...uplinks.map(({ address, length }) => ({ address, length })), ...(hasIpv6 ? [linkLocal] : [])];
  const gateways = uplinks.flatMap(({ gateway }) => (gateway === undefined ? [] : [gateway]));
  const nat64 = leading.find((service) => service.kind === 'nat64');
  const translation = nat64 && translationOf(nat64);
  return {
    device,
    // On another device, the way out is made again: its Ethernet address tells the two apart.
    mac: derivedMac('outer', ...own),
    addresses: distinct([...addresses, ...leading.flatMap((one) => (one.kind === 'nat44' ? rowOf(one) : []))]),
    gateways: [...new Set(gateways)],
    // In a block that is the subnet itself, neighbours ask for each address, and none answers for a free one.
    blocks: nat64 === undefined || isOnLink(nat64) ? [] : [nat64.block],
    vxlanPorts,
    sources: leading.flatMap((one) => (one.kind === 'nat44' ? sourceOf(one) : [])),
    routed: leading.flatMap((one) => (one.kind === 'route' ? one.guests : [])),
    ...(nat64 !== undefined && translation !== undefined && { translation: { ...translation, shared: nat64.address } }),
  };
}

/** What the translator of a network translates; undefined for a network without a /64. */
export function translationOf({ guests, prefix, maps }: AssignedNat64): Translation | undefined {
  const [first]: readonly (Ipv6Cidr | undefined)[] = guests;
  if (first === undefined) return undefined;
  return { prefix, ipv4: TRANSLATOR_IPV4, ipv6: ipv6WithSuffix(first, TRANSLATOR_SUFFIX), maps, pool: POOL };
}

function uplinksOf(service: LeadingOut): readonly (PlacedAddress & { readonly gateway?: Ip })[] {
  return service.kind === 'route' ? service.uplinks : [service];
}

/** The addresses of a row that are not the router's own: it has them alone, without their subnet. */
function rowOf({ address, range }: AssignedNat44): PlacedAddress[] {
  if (range === undefined) return [];
  return addressesIn(range)
    .filter((one) => one !== address)
    .map((one) => ({ address: one, length: HOST_LENGTH }));
}

function addressesIn({ first, last }: Ipv4Row): Ipv4[] {
  const from = ipv4ToNumber(first);
  return Array.from({ length: ipv4ToNumber(last) - from + 1 }, (_, index) => ipv4FromNumber(from + index));
}

function sourceOf({ guests, address, range, ports }: AssignedNat44): OuterPlace['sources'] {
  if (guests.length === 0) return [];
  return [{ from: guests, to: range ?? { first: address, last: address }, ...(ports !== undefined && { ports }) }];
}

function isOnLink({ block, address, length }: AssignedNat64): boolean {
  return ipv4Length(block) >= length && ipv4Overlap(block, ipv4Subnet(address, length));
}

function distinct(addresses: readonly PlacedAddress[]): PlacedAddress[] {
  return [...new Map(addresses.map((one) => [one.address, one])).values()];
}
