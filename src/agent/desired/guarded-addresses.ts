/** The addresses that no port of this node may send from: those of all members that are not behind such a port. */
import type { Ipv4 } from '../../model/address/ipv4.ts';
import { type Ipv6, ipv6FromBytes, ipv6ToBytes } from '../../model/address/ipv6.ts';
import type { Member, MemberAddresses } from '../../model/network/member.ts';
import { addressNumber } from './port-guard.ts';
import type { GuardedAddresses } from './ruleset-input.ts';

/** None: before the first member list. */
export const NONE_GUARDED: GuardedAddresses = { macs: new Set(), ipv6s: new Set() };

const LINK_LOCAL = [0xfe, 0x80, 0, 0, 0, 0, 0, 0];
const SUFFIX_BYTES = 8;

/**
 * This node's own addresses, and those of all members, with their link-local ones. A member at one of this node's own
 * underlay addresses polls from behind a port of this node: it must go on sending.
 * @param here this node's own underlay addresses
 */
export function guardedAddresses(
  own: MemberAddresses,
  members: readonly Member[],
  here: ReadonlySet<Ipv4>,
): GuardedAddresses {
  const macs = new Set<string>([own.bridgeMac, own.vtepMac]);
  const ipv6s = new Set([own.ipv6, own.linkLocal].map(addressNumber));
  for (const { ipv4, mac, ipv6 } of members) {
    if (here.has(ipv4)) continue;
    macs.add(mac);
    ipv6s.add(addressNumber(ipv6)).add(addressNumber(linkLocalOf(ipv6)));
  }
  return { macs, ipv6s };
}

/** A member's link-local address has the same suffix as its address in the mesh. */
function linkLocalOf(ipv6: Ipv6): Ipv6 {
  return ipv6FromBytes(Uint8Array.from([...LINK_LOCAL, ...ipv6ToBytes(ipv6).slice(SUFFIX_BYTES)]));
}
