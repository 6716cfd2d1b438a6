/** The forms of NAT44 and routing as a node is given them. */
import { CidrShape, IpShape, Ipv4CidrShape, Ipv4Shape } from '../../../model/address/address-shapes.ts';
import { NETWORK_LIST_MAX, PortNumberShape } from '../../../model/network/words.ts';
import * as form from '../form.ts';
import { DeviceShape } from '../parts.ts';
import { ActiveShape, IdShape } from './assigned-nat64-shape.ts';

const GatewaysShape = form.listOf(form.object({ address: Ipv4Shape, length: form.int(0, 32) }), NETWORK_LIST_MAX);

/** NAT44. */
export const AssignedNat44Shape = form.object({
  kind: form.literal('nat44'),
  id: IdShape,
  active: ActiveShape,
  guests: form.listOf(Ipv4CidrShape, NETWORK_LIST_MAX),
  gateways: GatewaysShape,
  device: DeviceShape,
  address: Ipv4Shape,
  length: form.int(8, 32),
  gateway: form.exactOptional(Ipv4Shape),
  range: form.exactOptional(form.object({ first: Ipv4Shape, last: Ipv4Shape })),
  ports: form.exactOptional(form.object({ first: PortNumberShape, last: PortNumberShape })),
});

/** Routing. */
export const AssignedRouteShape = form.object({
  kind: form.literal('route'),
  id: IdShape,
  active: ActiveShape,
  guests: form.listOf(CidrShape, NETWORK_LIST_MAX),
  gateways: GatewaysShape,
  device: DeviceShape,
  uplinks: form.listOf(
    form.object({ address: IpShape, length: form.int(8, 128), gateway: form.exactOptional(IpShape) }),
    2,
  ),
});
