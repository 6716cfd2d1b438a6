/** DHCP for IPv6 (RFC 8415) in the first /64 of a network. */
import { Ipv6Shape, MacShape } from '../../address/address-shapes.ts';
import { type Ipv6, type Ipv6Cidr, ipv6WithSuffix } from '../../address/ipv6.ts';
import type { Mac } from '../../address/mac.ts';
import * as form from '../../form.ts';
import { NETWORK_LIST_MAX } from '../words.ts';
import type { AddressRange } from './address-range.ts';
import { LeaseSecShape, RESERVATIONS_MAX } from './dhcp4.ts';
import { DomainNameShape, HostLabelShape } from './host-name.ts';
import { SERVICE_NODES, type ServiceNodes } from './service-nodes.ts';

/** A guest that always gets the same address. It is known by its Ethernet address, or by its DUID (RFC 8415 §11). */
export interface Reservation6 {
  readonly mac?: Mac;
  readonly id?: string;
  readonly address?: Ipv6;
  readonly name?: string;
}

/**
 * What DHCP gives. The advertisements of the service ra tell guests of it: `stateful` sets the flags M and O, `stateless` the flag O
 * (RFC 4861 §4.2).
 */
export interface Dhcp6Service extends ServiceNodes {
  readonly kind: 'dhcp6';
  /** `stateful`: guests get addresses. `stateless`: they form their own, and learn resolvers and domain here. */
  readonly mode: 'stateful' | 'stateless';
  /** Absent: 65,536 addresses of the prefix. Empty: only reservations get addresses. */
  readonly ranges?: readonly AddressRange<Ipv6>[];
  readonly hosts: readonly Reservation6[];
  readonly leaseSec: number;
  /** Absent: the nodes that serve, where the network has the service dns. */
  readonly resolvers?: readonly Ipv6[];
  /** Absent: the domain of the service dns. */
  readonly domain?: string;
}

/** Pairs of hex digits with colons: at most 130 bytes (RFC 8415 §11.1). */
const DuidShape = form.worded(
  form.string({ pattern: /^[0-9a-f]{2}(?::[0-9a-f]{2}){2,129}$/ }),
  'A DUID as 00:01:00:01:2a:5c:11:90:02:00:00:00:00:07: pairs of hex digits with colons.',
);

/** The form of reservations. */
export const Reservations6Shape: form.Shape<Reservation6[]> = form.listOf(
  form.object({
    mac: form.exactOptional(MacShape),
    id: form.exactOptional(DuidShape),
    address: form.exactOptional(Ipv6Shape),
    name: form.exactOptional(HostLabelShape),
  }),
  RESERVATIONS_MAX,
);
/** The form of ranges. */
export const Ranges6Shape: form.Shape<AddressRange<Ipv6>[]> = form.listOf(
  form.object({ first: Ipv6Shape, last: Ipv6Shape }),
  NETWORK_LIST_MAX,
);

/** The form of the service in documents. */
export const Dhcp6ServiceShape = form.object({
  kind: form.literal('dhcp6'),
  ...SERVICE_NODES,
  mode: form.defaulted(form.oneOf(['stateful', 'stateless']), 'stateful'),
  ranges: form.exactOptional(Ranges6Shape),
  hosts: form.defaulted(Reservations6Shape, []),
  leaseSec: LeaseSecShape,
  resolvers: form.exactOptional(form.listOf(Ipv6Shape, 8)),
  domain: form.exactOptional(DomainNameShape),
});

/** The ranges of a service in its prefix. Servers have addresses with other last 64 bits. */
export function dhcp6Ranges(
  { ranges, mode }: Pick<Dhcp6Service, 'ranges' | 'mode'>,
  prefix: Ipv6Cidr,
): readonly AddressRange<Ipv6>[] {
  if (mode === 'stateless') return [];
  const at = (suffix: string) => ipv6WithSuffix(prefix, suffix);
  return ranges ?? [{ first: at('0000000000010000'), last: at('000000000001ffff') }];
}
