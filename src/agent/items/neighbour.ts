/** Neighbour entries: the Ethernet address of each other member, so that the kernel sends no neighbour solicitation. */
import type { Ip } from '../../kernel/ip.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { ItemKey, ItemKind } from './item-kind.ts';
import { linkKey } from './link.ts';
import { OUR_PROTOCOL } from './mark.ts';
import { RANK } from './rank.ts';

/** The permanent neighbour entry of another member, or of a guest. */
export interface NeighbourItem {
  readonly kind: 'neighbour';
  readonly network: NetworkId;
  /** Name of the bridge. */
  readonly link: string;
  readonly address: Ip;
  readonly mac: Mac;
}

/**
 * `neighbour:br456 fd42::1`.
 * @param link name of the bridge
 */
export function neighbourKey(link: string, address: Ip): ItemKey {
  return `neighbour:${link} ${address}`;
}

/** Neighbour entries are always written with `replace`. */
export const neighbourKind: ItemKind<NeighbourItem> = {
  key: (item) => neighbourKey(item.link, item.address),
  dependsOn: (item) => [linkKey('bridge', item.network)],
  rank: () => RANK.entry,
  differences: (have, want) => (have.mac === want.mac ? [] : [`lladdr ${have.mac} → ${want.mac}`]),
  mustRecreate: () => false,
  print: ({ link, address, mac }) =>
    `ip neigh replace ${address} lladdr ${mac} dev ${link} nud permanent extern_learn proto ${OUR_PROTOCOL}`,
  create: ({ link, address, mac }) => [{ do: 'neighbour-replace', link, address, mac, protocol: OUR_PROTOCOL }],
  change: (_, { link, address, mac }) => [{ do: 'neighbour-replace', link, address, mac, protocol: OUR_PROTOCOL }],
  remove: ({ link, address }) => [{ do: 'neighbour-delete', link, address }],
};
