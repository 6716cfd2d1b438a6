/** The words of nft for what a rule of a network matches. */
import type { RoutingRule } from '../../../../model/network/routing.ts';
import { nftElements } from '../../../items/nft-text.ts';

type Match = RoutingRule['match'];

const PROTOCOLS: Readonly<Record<NonNullable<Match['protocol']>, string>> = {
  tcp: 'meta l4proto tcp',
  udp: 'meta l4proto udp',
  icmp: 'meta l4proto icmp',
  icmpv6: 'meta l4proto ipv6-icmp',
};
const PORT_PROTOCOLS = 'meta l4proto { tcp, udp }';

/**
 * The match of a rule about forwarded packets; none for a rule that no packet fits. Where a port of this node leads to a guest, a rule
 * about what comes in names the port and the address outside: conntrack remembers them.
 */
export function matchesOf({ direction, match }: Pick<RoutingRule, 'direction' | 'match'>): string[] {
  const { protocol, from, to, ports } = match;
  if (from !== undefined && to !== undefined && from.includes(':') !== to.includes(':')) return [];
  const isIncoming = direction === 'in';
  const words = [
    ...protocolWords(match),
    ...(from === undefined ? [] : [`${familyOf(from)} saddr ${nftElements([from])}`]),
    ...(to === undefined ? [] : [`${isIncoming ? 'ct original ' : ''}${familyOf(to)} daddr ${nftElements([to])}`]),
    ...(ports === undefined || protocol === 'icmp' || protocol === 'icmpv6'
      ? []
      : [`${isIncoming ? 'ct original proto-dst' : 'th dport'} ${portRange(ports)}`]),
  ];
  return [words.join(' ')];
}

/** The protocols that a rule is about. Ports without a protocol are those of TCP and of UDP. */
export function protocolWords({ protocol, ports }: Match): string[] {
  if (protocol !== undefined) return [PROTOCOLS[protocol]];
  return ports === undefined ? [] : [PORT_PROTOCOLS];
}

/** One port, or a row of ports. */
export function portRange({ first, last }: NonNullable<Match['ports']>): string {
  return first === last
    ? nftElements([String(first)])
    : `${nftElements([String(first)])}-${nftElements([String(last)])}`;
}

/** The family of a subnet. */
export function familyOf(cidr: string): 'ip' | 'ip6' {
  return cidr.includes(':') ? 'ip6' : 'ip';
}
