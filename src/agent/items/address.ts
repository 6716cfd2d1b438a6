/**
 * This node's own IPv6 addresses on a network's bridge. They are allocated, not guessed, so there is no duplicate
 * address detection (`nodad`).
 */
import type { Ip } from '../../kernel/ip.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { ItemKey, ItemKind } from './item-kind.ts';
import { linkKey } from './link.ts';
import { RANK } from './rank.ts';

/** One IPv6 address on the bridge of a network. */
export interface AddressItem {
  readonly kind: 'address';
  readonly network: NetworkId;
  /** Name of the bridge. */
  readonly link: string;
  readonly address: Ipv6;
  /** Prefix length in bits. */
  readonly length: number;
  /** Why the address in the kernel does not work as it is; absent in a desired item. */
  readonly flaw?: AddressFlaw;
}

/**
 * `no prefix route`: the route to the address's /64 is gone, so packets to the mesh go elsewhere. `fading`: the address is
 * deprecated, or has an end. `not usable`: duplicate address detection has not approved it.
 */
type AddressFlaw = 'no prefix route' | 'fading' | 'not usable';

/** `address:br456 fd42::1`. @param link name of the bridge */
export function addressItemKey(link: string, address: Ip): ItemKey {
  return `address:${link} ${address}`;
}

/**
 * Adding an address that exists gives it back its route and its unlimited life (inet6_addr_modify), but keeps its prefix
 * length and the state of duplicate address detection.
 */
export const addressKind: ItemKind<AddressItem> = {
  key: ({ link, address }) => addressItemKey(link, address),
  dependsOn: (item) => [linkKey('bridge', item.network)],
  rank: () => RANK.address,
  differences: (have, want) => [
    ...(have.length === want.length ? [] : [`/${have.length} → /${want.length}`]),
    ...(have.flaw === undefined || want.flaw === have.flaw ? [] : [have.flaw]),
  ],
  mustRecreate: (have, want) => have.length !== want.length || have.flaw === 'not usable',
  print: ({ link, address, length }) => `ip address add ${address}/${length} dev ${link} nodad`,
  printChange: (_, { link, address, length }) => `ip address replace ${address}/${length} dev ${link} nodad`,
  create: ({ link, address, length }) => [{ do: 'address-add', link, address, length, nodad: true }],
  change: (_, { link, address, length }) => [{ do: 'address-add', link, address, length, nodad: true }],
  remove: ({ link, address, length }) => [{ do: 'address-delete', link, address, length }],
};
