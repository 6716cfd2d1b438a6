/** An address of ours on a bridge. Addresses are allocated, not guessed: no duplicate address detection (`nodad`). */
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { NetworkId } from '../../model/network/network.ts';
import type { ItemKind } from './item-kind.ts';
import { linkKey } from './link.ts';

export interface AddressItem {
  readonly kind: 'address';
  readonly network: NetworkId;
  readonly link: string;
  readonly address: Ipv6;
  readonly length: number;
}

export const addressKind: ItemKind<AddressItem> = {
  key: (item) => `address:${item.link} ${item.address}/${item.length}`,
  dependsOn: (item) => [linkKey('bridge', item.network)],
  rank: () => 4,
  differences: () => [],
  mustRecreate: () => false,
  print: ({ link, address, length }) => `ip address add ${address}/${length} dev ${link} nodad`,
  create: ({ link, address, length }) => [{ do: 'address-add', link, address, length, nodad: true }],
  change: () => [],
  remove: ({ link, address, length }) => [{ do: 'address-delete', link, address, length }],
};
