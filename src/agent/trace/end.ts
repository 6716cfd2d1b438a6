/** One end of a path as this node knows it: the member, from this node's own list, and the guest behind the member. */
import type { Link } from '../../kernel/rtnl/objects.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { Member } from '../../model/network/member.ts';
import type { PathPoint } from '../../protocol/documents/trace.ts';
import type { PathState } from './path-state.ts';

/** One end of a path. `mac` and `ipv6` are the guest's when `guest` is true, else the member's. */
export interface End {
  /** Undefined when this node does not know of the member. */
  readonly member: Member | undefined;
  readonly memberIpv6: Ipv6;
  readonly guest: boolean;
  /** Undefined for a member that this node does not know. */
  readonly mac: Mac | undefined;
  /** Undefined for a guest whose address was not asked with. */
  readonly ipv6: Ipv6 | undefined;
}

/** Looks up a point of the query in this node's list of members. */
export function endOf({ members }: PathState, { member: memberIpv6, guest }: PathPoint): End {
  const member = members.find(({ ipv6 }) => ipv6 === memberIpv6);
  if (guest === undefined) return { member, memberIpv6, guest: false, mac: member?.mac, ipv6: memberIpv6 };
  return { member, memberIpv6, guest: true, mac: guest.mac, ipv6: guest.ipv6 };
}

/** The network's bridge and VXLAN device in the kernel; undefined where they are missing. */
export function linksOf({ kernel, network }: PathState): { bridge: Link | undefined; vxlan: Link | undefined } {
  return { bridge: kernel.linkNamed(network.bridge.name), vxlan: kernel.linkNamed(network.type.device) };
}

/** The bridge port that the bridge's FDB has for an Ethernet address; undefined when the FDB has no entry. */
export function portOf(pathState: PathState, mac: Mac): Link | undefined {
  const { bridge } = linksOf(pathState);
  for (const entry of pathState.kernel.fdb.values()) {
    if (entry.table !== 'master' || entry.mac !== mac) continue;
    const port = pathState.kernel.links.get(entry.link);
    if (port !== undefined && port.master === bridge?.index) return port;
  }
  return undefined;
}
