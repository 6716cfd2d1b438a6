/** The forms of NAT64 and DNS64 as a node is given them. */
import { IpShape, Ipv4CidrShape, Ipv4Shape, Ipv6CidrShape, Ipv6Shape } from '../../../model/address/address-shapes.ts';
import { NETWORK_LIST_MAX } from '../../../model/network/words.ts';
import * as form from '../form.ts';
import { DeviceShape, MachineIdShape } from '../parts.ts';

/** The active router of a network. */
export const ActiveShape = form.exactOptional(form.union([MachineIdShape, form.literal('host0')]));
/** The identifier of a service: that of its network, the kind, and a digest of the content. */
export const IdShape = form.string({ max: 64 });
const MAPS_MAX = 10_000;

/** NAT64. */
export const AssignedNat64Shape = form.object({
  kind: form.literal('nat64'),
  id: IdShape,
  active: ActiveShape,
  guests: form.listOf(Ipv6CidrShape, NETWORK_LIST_MAX),
  prefix: Ipv6CidrShape,
  device: DeviceShape,
  address: Ipv4Shape,
  length: form.int(8, 32),
  gateway: form.exactOptional(Ipv4Shape),
  block: Ipv4CidrShape,
  maps: form.listOf(form.object({ ipv4: Ipv4Shape, ipv6: Ipv6Shape }), MAPS_MAX),
});

/** DNS64. */
export const AssignedDns64Shape = form.object({
  kind: form.literal('dns64'),
  id: IdShape,
  active: ActiveShape,
  address: form.exactOptional(Ipv6Shape),
  guests: form.listOf(Ipv6CidrShape, NETWORK_LIST_MAX),
  prefix: Ipv6CidrShape,
  forwarders: form.listOf(IpShape, 8),
});
