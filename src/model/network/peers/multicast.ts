/** Peers `multicast`: nodes send to a group of the underlay, and learn from the answers (RFC 7348 §4.2). */
import { IpShape } from '../../address/address-shapes.ts';
import type { Ipv4 } from '../../address/ipv4.ts';
import type { Ipv6 } from '../../address/ipv6.ts';
import * as form from '../../form.ts';
import { hexNumber } from '../number.ts';
import type { PeersRow } from './peers-row.ts';

/** Nobody lists the nodes: each node that hears the group takes part. The VXLAN device must name its underlay device. */
export interface MulticastPeers {
  readonly kind: 'multicast';
  readonly group: Ipv4 | Ipv6;
}

/** 224.0.0.0/4 (RFC 1112 §4) and ff00::/8 (RFC 4291 §2.7). */
const GROUP = /^(22[4-9]|23\d)\.|^ff/;

/** The row of the kind. */
export const MULTICAST: PeersRow<MulticastPeers> = {
  form: form.object({
    kind: form.literal('multicast'),
    group: form.worded(
      form.refined(IpShape, (address) => GROUP.test(address)),
      'A multicast group: an IPv6 address from ff00::/8, as ff05::1000, or an IPv4 address from 224.0.0.0/4.',
    ),
  }),
  // IPv4 has a limit of 20 groups for each socket (net.ipv4.igmp_max_memberships).
  underlay: 'ipv6',
  defaults: (number) => ({ group: groupOf(hexNumber(number)) }),
  fault: ({ group }, { dev, underlay }) => {
    if (dev === undefined) {
      return {
        rule: 'A network with multicast peers names the underlay device on which the nodes hear the group.',
        remedy: 'Name it: `--device eth1`, or `dev` in the type of a document',
      };
    }
    const family = group.includes(':') ? 'ipv6' : 'ipv4';
    if (family === underlay) return undefined;
    return { rule: `The group ${group} is one of ${family}.`, remedy: `Write "underlay": "${family}" in type` };
  },
};

/** The group of a number has the number's hex digits: `ff05::ff01` (site-local scope), `ff05::12:3456`. */
function groupOf(hex: string): string {
  const high = hex.slice(0, -4);
  return `ff05::${high === '' ? '' : `${high}:`}${hex.slice(-4).replace(/^0+(?=.)/, '')}`;
}
