/**
 * This node's own IPv6 addresses on a network's bridge. They are allocated, not guessed, so there is no duplicate
 * address detection (`nodad`).
 */
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { NetworkId } from '../../model/network/network.ts';
import type { ItemKind } from './item-kind.ts';
import { linkKey } from './link.ts';

/** One IPv6 address on the bridge of a network. */
export interface AddressItem {
  readonly kind: 'address';
  readonly network: NetworkId;
  /** Name of the bridge. */
  readonly link: string;
  readonly address: Ipv6;
  /** Prefix length in bits. */
  readonly length: number;
}

/** Addresses are added or deleted, never changed. */
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
