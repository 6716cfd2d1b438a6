/**
 * Ports of this node that lead to guests. They are reached from outside, from this node itself and, at an address of this node that is
 * not on the bridge, from the guests of the network.
 */
import { type Ip, isIpv6 } from '../../../../kernel/ip.ts';
import type { ForwardTarget, RoutingRule } from '../../../../model/network/routing.ts';
import { nftElements } from '../../../items/nft-text.ts';
import type { GuestAddresses, RoutedHere } from './routed-here.ts';
import { familyOf, matchesOf, portRange, protocolWords } from './routing-match.ts';

type Family = 'ip' | 'ip6';

const FAMILIES: readonly Family[] = ['ip', 'ip6'];
/** The rules that change destinations. The first that fits decides, as everywhere: a refusal before it keeps the packet as it is. */
export function forwardLines(here: RoutedHere): string[] {
  return here.network.routing.rules.flatMap((rule) => {
    const { direction, match, verdict, forwardTo } = rule;
    if (direction !== 'in' || verdict !== 'accept' || forwardTo === undefined) return [];
    const targets = targetsOf(forwardTo, here.guests);
    return FAMILIES.flatMap((family) => {
      const target = targets[family];
      if (target === undefined || isOfOther(match, family)) return [];
      const words = [
        // What goes to others is not for this node, whichever subnet the rule names.
        'fib daddr type local',
        ...(match.to === undefined ? [] : [`${family} daddr ${nftElements([match.to])}`]),
        ...(match.from === undefined ? [] : [`${family} saddr ${nftElements([match.from])}`]),
        ...protocolWords(match),
        ...(match.ports === undefined ? [] : [`th dport ${portRange(match.ports)}`]),
      ];
      return [`${words.join(' ')} dnat ${family} to ${placeOf(target, forwardTo.port)}`];
    });
  });
}

/** The rules that let into the network what was sent to such a port. */
export function passLines(rule: RoutingRule, target: ForwardTarget, { guests }: RoutedHere): string[] {
  const targets = targetsOf(target, guests);
  return FAMILIES.flatMap((family) => {
    const address = targets[family];
    if (address === undefined || isOfOther(rule.match, family) || rule.verdict !== 'accept') return [];
    return matchesOf(rule).map((match) => `ct status dnat ${family} daddr ${nftElements([address])} ${match} return`);
  });
}

function targetsOf(target: ForwardTarget, guests: GuestAddresses): Readonly<Record<Family, Ip | undefined>> {
  const addresses = 'guest' in target ? (guests.get(target.guest) ?? []) : [target.address];
  return { ip: addresses.find((one) => !isIpv6(one)), ip6: addresses.find(isIpv6) };
}

function isOfOther({ from, to, protocol }: RoutingRule['match'], family: Family): boolean {
  if (protocol === (family === 'ip' ? 'icmpv6' : 'icmp')) return true;
  return [from, to].some((cidr) => cidr !== undefined && familyOf(cidr) !== family);
}

function placeOf(address: Ip, port: number | undefined): string {
  if (port === undefined) return nftElements([address]);
  const host = isIpv6(address) ? `[${nftElements([address])}]` : nftElements([address]);
  return `${host}:${nftElements([String(port)])}`;
}
