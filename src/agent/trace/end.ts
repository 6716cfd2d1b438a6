/** One end of a path as a node sees it: the member, by this node's own list, and the guest behind it. */
import type { Link } from '../../kernel/rtnl/objects.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { Member } from '../../model/network/member.ts';
import type { PathPoint } from '../../protocol/documents/trace.ts';
import type { PathState } from './path-state.ts';

export interface End {
  /** Undefined when this node does not know of the member. */
  readonly member: Member | undefined;
  readonly memberIpv6: Ipv6;
  readonly guest: boolean;
  /** The receiver's, or the sender's: the guest's, else the member's. */
  readonly mac: Mac | undefined;
  readonly ipv6: Ipv6 | undefined;
}

export function endOf({ members }: PathState, { member: memberIpv6, guest }: PathPoint): End {
  const member = members.find(({ ipv6 }) => ipv6 === memberIpv6);
  if (guest === undefined) return { member, memberIpv6, guest: false, mac: member?.mac, ipv6: memberIpv6 };
  return { member, memberIpv6, guest: true, mac: guest.mac, ipv6: guest.ipv6 };
}

/** The network's two links as they are in the kernel. */
export function linksOf({ kernel, network }: PathState): { bridge: Link | undefined; vxlan: Link | undefined } {
  return { bridge: kernel.linkNamed(network.devices.bridge), vxlan: kernel.linkNamed(network.devices.vxlan) };
}

/** The port behind which the bridge has an Ethernet address. */
export function portOf(pathState: PathState, mac: Mac): Link | undefined {
  const { bridge } = linksOf(pathState);
  for (const entry of pathState.kernel.fdb.values()) {
    if (entry.table !== 'master' || entry.mac !== mac) continue;
    const port = pathState.kernel.links.get(entry.link);
    if (port !== undefined && port.master === bridge?.index) return port;
  }
  return undefined;
}
