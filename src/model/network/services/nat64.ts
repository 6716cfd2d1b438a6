/**
 * NAT64: guests that have IPv6 alone reach IPv4, and IPv4 reaches those that have an IPv4 address of their own outside. All of it is
 * on the active router of the network.
 */
import { Ipv4CidrShape, Ipv4Shape, Ipv6CidrShape, Ipv6Shape } from '../../address/address-shapes.ts';
import { type Ipv4, type Ipv4Cidr, ipv4InSubnet } from '../../address/ipv4.ts';
import type { Ipv6, Ipv6Cidr } from '../../address/ipv6.ts';
import * as form from '../../form.ts';
import { DeviceShape, NameShape } from '../words.ts';
import { SERVICE_NODES, type ServiceNodes } from './service-nodes.ts';

/** A machine that has an IPv4 address of its own outside. */
export interface AddressMap {
  readonly ipv4: Ipv4;
  /** The address that the machine gives itself by EUI-64. */
  readonly ipv6: Ipv6;
  /** The name of the virtual machine. */
  readonly vm: string;
}

/** What is wanted of NAT64. */
export interface Nat64Service extends ServiceNodes {
  readonly kind: 'nat64';
  /** A /96 for IPv4 addresses (RFC 6052 §2.2). Nothing else has addresses of it. */
  readonly prefix: Ipv6Cidr;
  /** The device that leads outside, of the same name on all routers. */
  readonly device: string;
  /** The address of the active router outside. Guests without one of their own share it. */
  readonly address: Ipv4;
  /** Length of the prefix of the subnet outside. */
  readonly length: number;
  /** The router of that subnet. Absent: only the subnet is reached. */
  readonly gateway?: Ipv4;
  /** The addresses that guests can get. */
  readonly block: Ipv4Cidr;
  /** The addresses that guests have. */
  readonly maps: readonly AddressMap[];
}

/** More guests than a translator of one thread serves. */
const MAPS_MAX = 10_000;

/** The form of the service in documents. */
export const Nat64ServiceShape = form.object({
  kind: form.literal('nat64'),
  ...SERVICE_NODES,
  prefix: form.worded(
    form.refined(Ipv6CidrShape, (prefix) => prefix.endsWith('/96')),
    'A /96 of IPv6, as fd64:64::/96.',
  ),
  device: DeviceShape,
  address: Ipv4Shape,
  length: form.int(8, 32),
  gateway: form.exactOptional(Ipv4Shape),
  block: Ipv4CidrShape,
  maps: form.defaulted(form.listOf(form.object({ ipv4: Ipv4Shape, ipv6: Ipv6Shape, vm: NameShape }), MAPS_MAX), []),
});

/** Whether guests can get an address: it is in the block, and neither the router's nor that of the next router. */
export function isForGuests({ block, address, gateway }: Nat64Service, ipv4: Ipv4): boolean {
  return ipv4InSubnet(ipv4, block) && ipv4 !== address && ipv4 !== gateway;
}
