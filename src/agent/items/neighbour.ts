/** A member's IPv6 address on the bridge, so that nobody needs to ask for its Ethernet address. */
import type { Ip } from '../../kernel/ip.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { NetworkId } from '../../model/network/network.ts';
import type { ItemKey, ItemKind } from './item-kind.ts';
import { linkKey } from './link.ts';
import { OUR_PROTOCOL } from './mark.ts';

export interface NeighbourItem {
  readonly kind: 'neighbour';
  readonly network: NetworkId;
  readonly link: string;
  readonly address: Ipv6;
  readonly mac: Mac;
}

export function neighbourKey(link: string, address: Ip): ItemKey {
  return `neighbour:${link} ${address}`;
}

export const neighbourKind: ItemKind<NeighbourItem> = {
  key: (item) => neighbourKey(item.link, item.address),
  dependsOn: (item) => [linkKey('bridge', item.network)],
  // With the forwarding entries: a member's four come in one message.
  rank: () => 7,
  differences: (have, want) => (have.mac === want.mac ? [] : [`lladdr ${have.mac} → ${want.mac}`]),
  mustRecreate: () => false,
  print: ({ link, address, mac }) =>
    `ip neigh replace ${address} lladdr ${mac} dev ${link} nud permanent extern_learn proto ${OUR_PROTOCOL}`,
  create: ({ link, address, mac }) => [{ do: 'neighbour-replace', link, address, mac, protocol: OUR_PROTOCOL }],
  change: (_, { link, address, mac }) => [{ do: 'neighbour-replace', link, address, mac, protocol: OUR_PROTOCOL }],
  remove: ({ link, address }) => [{ do: 'neighbour-delete', link, address }],
};
