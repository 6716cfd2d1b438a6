/** A VXLAN packet as a firewall sees it, and whether a part of a rule matches it. */
import { type Ipv4Cidr, ipv4InSubnet, ipv4Overlap, ipv4Subnet, isIpv4 } from '../../model/address/ipv4.ts';
import { VXLAN_PORT } from '../../model/network/types/vxlan.ts';

/** The first VXLAN packet of a flow. Later packets of the flow are let through where the first is. */
export interface Packet {
  /** Name of the link that it came in by; undefined for a packet of this machine. */
  readonly from?: string;
  /** Name of the link that it leaves by; undefined for a packet to this machine. */
  readonly to?: string;
  /** The addresses that its source may be; a single one ends with `/32`. */
  readonly source?: Ipv4Cidr;
  readonly destination?: Ipv4Cidr;
}

/** `maybe`: the rule asks for something that is not known of the packet, or that this program cannot read. */
export type Match = 'yes' | 'no' | 'maybe';

/** @param pattern a name with an optional `*` at its end, as nft prints it, without quotes */
export function linkMatches(pattern: string, name: string | undefined): Match {
  if (name === undefined) return 'no';
  const matches = pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
  return matches ? 'yes' : 'no';
}

/** @param pattern an address, a subnet or a range of a rule */
export function addressMatches(pattern: string, address: Ipv4Cidr | undefined): Match {
  const [base = '', length = '32'] = pattern.split('/');
  if (address === undefined || !isIpv4(base)) return 'maybe';
  const subnet = ipv4Subnet(base, Number(length));
  if (!ipv4Overlap(subnet, address)) return 'no';
  const [own = '', ownLength = '32'] = address.split('/');
  return isIpv4(own) && ipv4InSubnet(own, subnet) && Number(ownLength) >= Number(length) ? 'yes' : 'maybe';
}

/** @param pattern a port, or a range `4000-5000` */
export function portMatches(pattern: string): Match {
  const [low, high = low] = pattern.split('-').map(Number);
  if (low === undefined || high === undefined || Number.isNaN(low) || Number.isNaN(high)) return 'maybe';
  return low <= VXLAN_PORT && VXLAN_PORT <= high ? 'yes' : 'no';
}

/** The match of a rule of which all parts must match. */
export function both(a: Match, b: Match): Match {
  if (a === 'no' || b === 'no') return 'no';
  return a === 'yes' && b === 'yes' ? 'yes' : 'maybe';
}

/** The match of a set, of which one element must match. */
export function any(matches: readonly Match[]): Match {
  if (matches.includes('yes')) return 'yes';
  return matches.includes('maybe') ? 'maybe' : 'no';
}

/** The match of `!=`. */
export function negated(match: Match): Match {
  if (match === 'maybe') return match;
  return match === 'yes' ? 'no' : 'yes';
}
