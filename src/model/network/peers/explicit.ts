/** Peers `explicit`: the network itself lists the remote VTEPs, which may be switches or hosts without Meshwork. */
import { IpShape } from '../../address/address-shapes.ts';
import type { Ipv4 } from '../../address/ipv4.ts';
import type { Ipv6 } from '../../address/ipv6.ts';
import * as form from '../../form.ts';
import type { PeersRow } from './peers-row.ts';

/** A remote VTEP. It listens at the UDP port of the network. */
export interface ExplicitVtep {
  readonly address: Ipv4 | Ipv6;
}

/** Every node has the same list, its own address in it too. */
export interface ExplicitPeers {
  readonly kind: 'explicit';
  readonly vteps: readonly ExplicitVtep[];
}

/** Each broadcast goes to every VTEP: a list by hand is short. */
const VTEPS_MAX = 64;

/** The row of the kind. */
export const EXPLICIT: PeersRow<ExplicitPeers> = {
  form: form.object({
    kind: form.literal('explicit'),
    vteps: form.listOf(form.object({ address: IpShape }), VTEPS_MAX),
  }),
  underlay: 'ipv4',
  defaults: () => ({ vteps: [] }),
  fault: ({ vteps }, { underlay }) => {
    const other = vteps.find(({ address }) => address.includes(':') !== (underlay === 'ipv6'));
    if (other === undefined) return undefined;
    return {
      rule: `A VXLAN over ${underlay} reaches no VTEP at ${other.address}: a device has one address family for life.`,
      remedy: 'List addresses of one family, and write it as "underlay" in type',
    };
  },
};
