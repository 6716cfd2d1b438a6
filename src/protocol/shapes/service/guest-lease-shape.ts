/** The forms of leases. */
import { IpShape, MacShape } from '../../../model/address/address-shapes.ts';
import { MEMBERS_MAX } from '../../documents/membership.ts';
import type { GuestLease, NetworkLeases } from '../../documents/service/guest-lease.ts';
import * as form from '../form.ts';
import { TextShape, TimeShape } from '../parts.ts';

/** As many as a dnsmasq gives. */
const LEASES_MAX = 10_000;

const LEASE = {
  address: IpShape,
  mac: form.exactOptional(MacShape),
  duid: form.exactOptional(form.string({ max: 400 })),
  name: form.exactOptional(form.string({ max: 255 })),
  expires: form.exactOptional(TimeShape),
} as const;

/** The leases that one node has given. */
export const GuestLeasesShape: form.Shape<GuestLease[]> = form.listOf(form.object(LEASE), LEASES_MAX);

/** The leases of a network. */
export const NetworkLeasesShape: form.Shape<NetworkLeases> = form.object({
  leases: form.listOf(form.object({ ...LEASE, node: TextShape }), LEASES_MAX * 64),
  silent: form.listOf(form.object({ node: TextShape, why: TextShape }), MEMBERS_MAX),
});
