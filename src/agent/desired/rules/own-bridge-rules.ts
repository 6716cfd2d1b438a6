/** What a network adds to the tables for its bridge: which packets the bridge takes, and for which addresses. */
import { memberAddresses } from '../../../model/network/member.ts';
import { isMesh, type Mesh } from '../../../model/network/mesh.ts';
import type { NodeAddresses } from '../../../model/network/node-addresses.ts';
import { nftName } from '../../items/nft-text.ts';
import type { BridgedNetwork } from '../bridged-network.ts';
import { HOST0S_SET } from './bridge-table.ts';
import type { ChainShare, RuleContribution } from './contribution.ts';
import { INET_PLACE } from './inet-table.ts';

/**
 * The contribution of a network with a bridge.
 * @param own this node's addresses in the network
 * @param isRouted whether this node routes the network: other rules say what leaves it and enters it
 */
export function ownBridgeRules(network: BridgedNetwork, own: NodeAddresses, isRouted = false): RuleContribution {
  const bridge = nftName(network.bridge.name);
  const addresses = own.ipv6 === undefined ? [own.linkLocal] : [own.ipv6, own.linkLocal];
  const homes = addresses.map((address) => `${bridge} . ${address}`);
  return {
    number: network.number,
    what: 'bridge',
    inet: {
      sets: [
        { name: 'bridges', declaration: 'type ifname', elements: isRouted ? [] : [bridge], kind: 'sized' },
        { name: 'within', declaration: 'type ifname . ifname', elements: [`${bridge} . ${bridge}`], kind: 'sized' },
        // This node's own addresses in the network.
        { name: 'homes', declaration: 'type ifname . ipv6_addr', elements: homes, kind: 'sized' },
      ],
      chains: isMesh(network) ? homeChains(network, own) : [],
    },
    bridge: {
      sets: isMesh(network) ? [{ ...HOST0S_SET, elements: [memberAddresses(network, 'host0').bridgeMac] }] : [],
    },
  };
}

/** Mask for the first 64 bits of an address: the prefix of every mesh is a /64. */
const PREFIX_MASK = 'ffff:ffff:ffff:ffff::';

/**
 * Drops packets for a network's addresses on other links. On its own bridge they are accepted without the route look-up
 * that follows.
 */
function homeChains({ bridge, type, hostAddress }: Mesh, own: NodeAddresses): ChainShare[] {
  const home = `home-${type.vni}`;
  return [
    ...(own.ipv6 === undefined
      ? []
      : [{ name: INET_PLACE.kept.ip6, verdicts: { key: 'ip6 daddr', elements: [`${own.ipv6} : return`] } }]),
    { name: home, rules: [`iifname != ${nftName(bridge.name)} drop`, 'accept'] },
    {
      name: INET_PLACE.homes,
      verdicts: {
        key: `iifname != "lo" ip6 daddr & ${PREFIX_MASK}`,
        elements: [`${hostAddress.prefix.replace('/64', '')} : jump ${home}`],
      },
    },
  ];
}
