/** DHCP for IPv4 (RFC 2131) in the first IPv4 subnet of a network. */
import { Ipv4Shape, MacShape } from '../../address/address-shapes.ts';
import { type Ipv4, type Ipv4Cidr, ipv4FromNumber, ipv4Range, ipv4ToNumber } from '../../address/ipv4.ts';
import type { Mac } from '../../address/mac.ts';
import * as form from '../../form.ts';
import type { Network } from '../network.ts';
import { NETWORK_LIST_MAX } from '../words.ts';
import type { AddressRange } from './address-range.ts';
import { DomainNameShape, HostLabelShape } from './host-name.ts';
import { SERVICE_NODES, type ServiceNodes } from './service-nodes.ts';

/** A guest that always gets the same address, or the name by which others find it. */
export interface Reservation4 {
  readonly mac: Mac;
  readonly address?: Ipv4;
  readonly name?: string;
}

/** What DHCP gives. Each node that serves gives from its own block of the ranges; reservations are the same on all nodes. */
export interface Dhcp4Service extends ServiceNodes {
  readonly kind: 'dhcp4';
  /** Absent: the upper half of the subnet. Empty: only reservations get addresses. */
  readonly ranges?: readonly AddressRange<Ipv4>[];
  readonly hosts: readonly Reservation4[];
  readonly leaseSec: number;
  /** The routers that guests are told. Absent: the gateway of the subnet, where the network is led outside; else none. */
  readonly routers?: readonly Ipv4[];
  /** The resolvers that guests are told. Absent: the nodes that serve, where the network has the service dns. */
  readonly resolvers?: readonly Ipv4[];
  /** The domain of the guests. Absent: that of the service dns. */
  readonly domain?: string;
}

/** An hour: a guest that moves to another node asks again after half of it. */
export const LEASE_DEFAULT_SEC = 3_600;
/** dnsmasq gives no shorter leases. */
const LEASE_MIN_SEC = 120;
/** The highest value of 32 bits means for ever (RFC 2131 §3.3). */
const LEASE_MAX_SEC = 0xffffffff;
const ADDRESSES_MAX = 8;
/** Also with the guests of a network. */
export const RESERVATIONS_MAX = 16_384;

/** How long a lease lasts. */
export const LeaseSecShape = form.defaulted(form.int(LEASE_MIN_SEC, LEASE_MAX_SEC), LEASE_DEFAULT_SEC);

const ADDRESS_LISTS = {
  routers: form.exactOptional(form.listOf(Ipv4Shape, ADDRESSES_MAX)),
  resolvers: form.exactOptional(form.listOf(Ipv4Shape, ADDRESSES_MAX)),
  domain: form.exactOptional(DomainNameShape),
};
/** The form of reservations. */
export const Reservations4Shape: form.Shape<Reservation4[]> = form.listOf(
  form.object({ mac: MacShape, address: form.exactOptional(Ipv4Shape), name: form.exactOptional(HostLabelShape) }),
  RESERVATIONS_MAX,
);
/** The form of ranges. */
export const Ranges4Shape: form.Shape<AddressRange<Ipv4>[]> = form.listOf(
  form.object({ first: Ipv4Shape, last: Ipv4Shape }),
  NETWORK_LIST_MAX,
);

/** The form of the service in documents. */
export const Dhcp4ServiceShape = form.object({
  kind: form.literal('dhcp4'),
  ...SERVICE_NODES,
  ranges: form.exactOptional(Ranges4Shape),
  hosts: form.defaulted(Reservations4Shape, []),
  leaseSec: LeaseSecShape,
  ...ADDRESS_LISTS,
});

/** A smaller subnet has no room for a server, a router and a guest. */
const LENGTH_MAX = 29;

/** The subnet in which DHCP gives IPv4 addresses; undefined where the network has none. */
export function dhcp4Subnet({ subnets }: Pick<Network, 'subnets'>): Ipv4Cidr | undefined {
  return subnets.map(({ cidr }) => cidr).find(isServed);
}

function isServed(cidr: string): cidr is Ipv4Cidr {
  return !cidr.includes(':') && Number(cidr.slice(cidr.indexOf('/') + 1)) <= LENGTH_MAX;
}

/** The ranges of a service in its subnet. */
export function dhcp4Ranges({ ranges }: Pick<Dhcp4Service, 'ranges'>, subnet: Ipv4Cidr): readonly AddressRange<Ipv4>[] {
  if (ranges !== undefined) return ranges;
  const { first, last } = ipv4Range(subnet);
  const half = Math.floor((ipv4ToNumber(last) - ipv4ToNumber(first) + 1) / 2);
  return [{ first: ipv4FromNumber(ipv4ToNumber(first) + half), last }];
}
