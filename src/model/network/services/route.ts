/** Routing: guests reach outside, and are reached from there, under their own addresses, through the active router. */
import { IpShape } from '../../address/address-shapes.ts';
import type { Ipv4, Ipv4Cidr } from '../../address/ipv4.ts';
import type { Ipv6, Ipv6Cidr } from '../../address/ipv6.ts';
import * as form from '../../form.ts';
import type { Network } from '../network.ts';
import { DeviceShape } from '../words.ts';
import { SERVICE_NODES, type ServiceNodes } from './service-nodes.ts';

/** An address of the active router outside, to which others route the subnets of its family. */
export interface Uplink {
  readonly address: Ipv4 | Ipv6;
  /** Length of the prefix of the subnet outside. */
  readonly length: number;
  /** The router of that subnet. Absent: only the subnet is reached. */
  readonly gateway?: Ipv4 | Ipv6;
}

/** What is wanted of routing. Subnets of a family without an uplink stay inside. */
export interface RouteService extends ServiceNodes {
  readonly kind: 'route';
  /** The device that leads outside, of the same name on all routers. */
  readonly device: string;
  /** One for a family. */
  readonly uplinks: readonly Uplink[];
}

const UplinkShape = form.worded(
  form.refined(
    form.object({ address: IpShape, length: form.int(8, 128), gateway: form.exactOptional(IpShape) }),
    ({ address, length, gateway = address }) =>
      isIpv6Text(address) === isIpv6Text(gateway) && length <= (isIpv6Text(address) ? 128 : 32),
  ),
  'An address with its length, and a gateway of the same family.',
);

/** The form of the service in documents. */
export const RouteServiceShape = form.object({
  kind: form.literal('route'),
  ...SERVICE_NODES,
  device: DeviceShape,
  uplinks: form.worded(
    form.refined(
      form.listOf(UplinkShape, 2),
      (uplinks) =>
        uplinks.length > 0 && new Set(uplinks.map(({ address }) => isIpv6Text(address))).size === uplinks.length,
    ),
    'One address outside for each family that is routed.',
  ),
});

/** The subnets of a network that are routed: those of the families that have an uplink. */
export function routedSubnets(
  { subnets }: Pick<Network, 'subnets'>,
  { uplinks }: Pick<RouteService, 'uplinks'>,
): readonly (Ipv4Cidr | Ipv6Cidr)[] {
  const families = new Set(uplinks.map(({ address }) => isIpv6Text(address)));
  return subnets.flatMap(({ cidr }) => (families.has(isIpv6Text(cidr)) ? [cidr] : []));
}

function isIpv6Text(text: string): boolean {
  return text.includes(':');
}
