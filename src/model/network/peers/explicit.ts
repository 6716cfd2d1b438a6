/** Peers `explicit`: the network itself lists the remote VTEPs, which may be switches or hosts without Meshwork. */
import { IpShape } from '../../address/address-shapes.ts';
import type { Ipv4 } from '../../address/ipv4.ts';
import type { Ipv6 } from '../../address/ipv6.ts';
import * as form from '../../form.ts';
import { PortNumberShape } from '../words.ts';
import type { PeersRow } from './peers-row.ts';

/** A remote VTEP. */
export interface ExplicitVtep {
  readonly address: Ipv4 | Ipv6;
  /** The UDP port that it listens at. Absent: that of the network. */
  readonly port?: number;
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
    vteps: form.listOf(form.object({ address: IpShape, port: form.exactOptional(PortNumberShape) }), VTEPS_MAX),
  }),
  underlay: 'ipv4',
  defaults: () => ({ vteps: [] }),
  fault: ({ vteps }, { underlay, udpPort, learning }) => {
    const other = vteps.find(({ address }) => address.includes(':') !== (underlay === 'ipv6'));
    if (other !== undefined) {
      return {
        rule: `A VXLAN over ${underlay} reaches no VTEP at ${other.address}: a device has one address family for life.`,
        remedy: 'List addresses of one family, and write it as "underlay" in type',
      };
    }
    const twice = vteps.find(({ address, port = udpPort }, at) =>
      vteps.slice(0, at).some((before) => before.address === address && (before.port ?? udpPort) === port),
    );
    if (twice !== undefined) {
      return { rule: `The VTEP ${twice.address} at port ${twice.port ?? udpPort} is in the list twice.` };
    }
    const odd = vteps.find(({ port = udpPort }) => port !== udpPort);
    if (odd === undefined || !learning) return undefined;
    return {
      rule:
        `The VTEP ${odd.address} listens at port ${odd.port}. A VXLAN that learns behind which VTEP an address is sends ` +
        `to port ${udpPort} from then on: Linux learns no ports (vxlan_snoop).`,
      remedy: 'Write "learning": false in type; each frame then goes to all VTEPs of the list',
    };
  },
};
