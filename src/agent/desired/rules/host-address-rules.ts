/** What a network adds to the table `inet meshwork` for the addresses that host0 gave this node on the network's bridge. */
import { type Ip, isIpv6 } from '../../../kernel/ip.ts';
import type { HostInterface } from '../../../model/network/host-address.ts';
import { nftName } from '../../items/nft-text.ts';
import type { BridgedNetwork } from '../bridged-network.ts';
import type { RuleContribution, SetShare } from './contribution.ts';
import { INET_PLACE } from './inet-table.ts';

/**
 * The contribution of a network. Linux takes a packet for any of its addresses on any link; these addresses are reached over
 * the network's own bridge alone. Networks without such addresses add nothing, and packets meet no rule.
 */
export function hostAddressRules(
  { number, bridge }: BridgedNetwork,
  given: readonly HostInterface[],
): RuleContribution {
  const what = 'host addresses';
  if (given.length === 0) return { number, what };
  const name = nftName(bridge.name);
  const families = [
    {
      type: 'ipv4_addr',
      field: 'ip daddr',
      set: 'hosts_ip',
      homes: 'homes_ip',
      kept: INET_PLACE.kept.ip,
      has: (address: Ip) => !isIpv6(address),
    },
    {
      type: 'ipv6_addr',
      field: 'ip6 daddr',
      set: 'hosts_ip6',
      homes: 'homes',
      kept: INET_PLACE.kept.ip6,
      has: isIpv6,
    },
  ].flatMap((family) => {
    const addresses = given.map(({ address }) => address).filter(family.has);
    return addresses.length === 0 ? [] : [{ ...family, addresses }];
  });
  return {
    number,
    what,
    inet: {
      sets: families.flatMap(({ type, set, homes, addresses }): SetShare[] => [
        { name: set, declaration: `type ${type}`, elements: addresses, kind: 'sized' },
        {
          name: homes,
          declaration: `type ifname . ${type}`,
          elements: addresses.map((address) => `${name} . ${address}`),
          kind: 'sized',
        },
      ]),
      chains: [
        ...families.map(({ field, kept, addresses }) => {
          return { name: kept, verdicts: { key: field, elements: addresses.map((address) => `${address} : return`) } };
        }),
        {
          name: INET_PLACE.homes,
          rules: families.map(
            ({ field, set, homes }) => `iifname != "lo" ${field} @${set} iifname . ${field} != @${homes} drop`,
          ),
        },
      ],
    },
  };
}
