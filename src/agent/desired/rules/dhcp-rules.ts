/**
 * What a network adds to the table `bridge meshwork` on a node that gives addresses: its guests ask this node alone, while guests
 * on nodes that do not serve ask all that do. So only broadcasts between serving nodes are dropped, of a family that both give. A guest that came from another
 * node renews its lease there by unicast, and keeps its address.
 */

import type { Network } from '../../../model/network/network.ts';
import { nftName } from '../../items/nft-text.ts';
import type { DhcpFamily } from '../../items/space/service-space.ts';
import { ARRIVALS_PLACE, DEPARTURES_PLACE } from './bridge-table.ts';
import type { ChainShare, RuleContribution, SetShare } from './contribution.ts';
import { chain } from './refusal-chains.ts';

/** The sets with the VXLAN devices of the networks in which this node gives addresses of a family. */
const SETS = { ipv4: 'dhcp4_ends', ipv6: 'dhcp6_ends' } as const;
/** All DHCPv6 servers and relays of a link (RFC 8415 §7.1). */
const SERVERS_IP6 = 'ff02::1:2';

const CHAINS: Readonly<Record<DhcpFamily, readonly ChainShare[]>> = {
  ipv4: [
    chain(ARRIVALS_PLACE, [`meta pkttype broadcast iifname @${SETS.ipv4} udp sport 67 udp dport 68 drop`]),
    chain(DEPARTURES_PLACE, [`meta pkttype broadcast oifname @${SETS.ipv4} udp sport 68 udp dport 67 drop`]),
  ],
  ipv6: [
    chain(DEPARTURES_PLACE, [
      `meta pkttype multicast oifname @${SETS.ipv6} ip6 daddr ${SERVERS_IP6} udp dport 547 drop`,
    ]),
  ],
};

/**
 * The contribution of a network.
 * @param device name of its VXLAN device
 * @param families in which this node gives addresses: requests of another one go to all nodes
 */
export function dhcpRules(
  { number }: Pick<Network, 'number'>,
  device: string,
  families: readonly DhcpFamily[],
): RuleContribution {
  return {
    number,
    what: 'dhcp',
    bridge: {
      sets: families.map(
        (family): SetShare => ({
          ...{ name: SETS[family], declaration: 'type ifname', kind: 'sized' },
          elements: [nftName(device)],
        }),
      ),
      chains: families.flatMap((family) => CHAINS[family]),
    },
  };
}
