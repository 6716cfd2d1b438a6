/** The forms of DHCP and DNS as a node is given them. */
import { Ipv4CidrShape, Ipv4Shape, Ipv6CidrShape, Ipv6Shape } from '../../../model/address/address-shapes.ts';
import { Ranges4Shape, Reservations4Shape } from '../../../model/network/services/dhcp4.ts';
import { Ranges6Shape, Reservations6Shape } from '../../../model/network/services/dhcp6.ts';
import { DNS_NAMES } from '../../../model/network/services/dns.ts';
import { DomainNameShape } from '../../../model/network/services/host-name.ts';
import { MEMBERS_MAX } from '../../documents/membership.ts';
import * as form from '../form.ts';
import { MachineIdShape } from '../parts.ts';

const MachineShape = form.union([MachineIdShape, form.literal('host0')]);
const IdShape = form.string({ max: 64 });
const SecondsShape = form.int(0, 0xffffffff);
const ADDRESSES_MAX = 64;

/** DHCP for IPv4. */
export const AssignedDhcp4Shape = form.object({
  kind: form.literal('dhcp4'),
  id: IdShape,
  subnet: form.exactOptional(Ipv4CidrShape),
  servers: form.listOf(form.object({ machine: MachineShape, address: Ipv4Shape, ranges: Ranges4Shape }), MEMBERS_MAX),
  hosts: Reservations4Shape,
  leaseSec: SecondsShape,
  routers: form.listOf(Ipv4Shape, ADDRESSES_MAX),
  resolvers: form.exactOptional(form.listOf(Ipv4Shape, ADDRESSES_MAX)),
  domain: form.exactOptional(DomainNameShape),
  mtuBytes: form.int(576, 65_535),
});

/** DHCP for IPv6. */
export const AssignedDhcp6Shape = form.object({
  kind: form.literal('dhcp6'),
  id: IdShape,
  prefix: form.exactOptional(Ipv6CidrShape),
  mode: form.oneOf(['stateful', 'stateless']),
  servers: form.listOf(form.object({ machine: MachineShape, address: Ipv6Shape, ranges: Ranges6Shape }), MEMBERS_MAX),
  hosts: Reservations6Shape,
  leaseSec: SecondsShape,
  resolvers: form.exactOptional(form.listOf(Ipv6Shape, ADDRESSES_MAX)),
  domain: form.exactOptional(DomainNameShape),
});

/** DNS. */
export const AssignedDnsShape = form.object({
  kind: form.literal('dns'),
  id: IdShape,
  ...DNS_NAMES,
  servers: form.listOf(form.object({ machine: MachineShape, address: Ipv6Shape }), MEMBERS_MAX),
  prefix: form.exactOptional(Ipv6CidrShape),
});
