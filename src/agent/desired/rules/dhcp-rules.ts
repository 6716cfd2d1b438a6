/**
 * What a network adds to the table `bridge meshwork` on a node that gives addresses: its guests ask this node alone, while guests
 * on nodes that do not serve ask all that do. So only broadcasts between serving nodes are dropped. A guest that came from another
 * node renews its lease there by unicast, and keeps its address.
 */

import type { Network } from '../../../model/network/network.ts';
import { nftName } from '../../items/nft-text.ts';
import { ARRIVALS_PLACE, DEPARTURES_PLACE } from './bridge-table.ts';
import type { RuleContribution, SetShare } from './contribution.ts';
import { chain } from './refusal-chains.ts';

/** The VXLAN devices of the networks in which this node gives addresses. */
const SET = 'dhcp_ends';
/** All DHCPv6 servers and relays of a link (RFC 8415 §7.1). */
const SERVERS_IP6 = 'ff02::1:2';

/** The contribution of a network. @param device name of its VXLAN device */
export function dhcpRules({ number }: Pick<Network, 'number'>, device: string): RuleContribution {
  const ends: SetShare = { name: SET, declaration: 'type ifname', elements: [nftName(device)], kind: 'sized' };
  return {
    number,
    what: 'dhcp',
    bridge: {
      sets: [ends],
      chains: [
        chain(ARRIVALS_PLACE, [`meta pkttype broadcast iifname @${SET} udp sport 67 udp dport 68 drop`]),
        chain(DEPARTURES_PLACE, [
          `meta pkttype broadcast oifname @${SET} udp sport 68 udp dport 67 drop`,
          `meta pkttype multicast oifname @${SET} ip6 daddr ${SERVERS_IP6} udp dport 547 drop`,
        ]),
      ],
    },
  };
}
