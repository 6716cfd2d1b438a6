/** Peers by multicast: the VXLAN device joins a group of the underlay, and learns who is behind which node. */
import type { MulticastPeers } from '../../../model/network/peers/multicast.ts';
import type { Senders } from '../rules/sender-rules.ts';
import type { VxlanContext } from './vxlan-context.ts';

const LINK_LOCAL = 'fe80::/10';

/** The group carries the packets on one link: whoever sends from a subnet of that link, or from a link-local address. */
export function sendersOnLink({ type, dev }: VxlanContext): Senders {
  const subnets = dev?.[type.underlay].map(({ subnet }) => subnet) ?? [];
  return { device: type.dev ?? '', subnets: type.underlay === 'ipv6' ? [LINK_LOCAL, ...subnets] : subnets };
}

/** What the VXLAN device of such a network has: the group. The device itself floods to the group, and learns the rest. */
export function vxlanOfMulticast({ group }: MulticastPeers) {
  return { group };
}
