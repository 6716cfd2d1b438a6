/**
 * This node's own addresses on a network's bridge. They are allocated, not guessed, so there is no duplicate
 * address detection (`nodad`).
 */
import { type Ip, isIpv6 } from '../../kernel/ip.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { ItemKey, ItemKind, Operation } from './item-kind.ts';
import { linkKey } from './link.ts';
import { OUR_PROTOCOL } from './mark.ts';
import { RANK } from './rank.ts';

/** One address on the bridge of a network. */
export interface AddressItem {
  readonly kind: 'address';
  readonly network: NetworkId;
  /** Name of the bridge. */
  readonly link: string;
  readonly address: Ip;
  /** Prefix length in bits. */
  readonly length: number;
  /** The address has our mark (IFA_PROTO). Kernels before 5.18 do not keep the mark: there the address stays until its bridge goes. */
  readonly marked?: boolean;
  /** The address is on host0's device, which is on the bridge. */
  readonly onHost0Device?: true;
  /** Of the route to the prefix; the kernel's own when absent. */
  readonly metric?: number;
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
  dependsOn: ({ onHost0Device, network }) => [linkKey(onHost0Device === true ? 'host0' : 'bridge', network)],
  rank: () => RANK.address,
  differences: (have, want) => [
    ...(have.length === want.length ? [] : [`/${have.length} → /${want.length}`]),
    ...(have.flaw === undefined || want.flaw === have.flaw ? [] : [have.flaw]),
  ],
  mustRecreate: (have, want) => have.length !== want.length || have.flaw === 'not usable',
  print: (item) => `ip address add ${wordsOf(item)}`,
  printChange: (_, item) => `ip address replace ${wordsOf(item)}`,
  create: (item) => [addition(item)],
  change: (_, item) => [addition(item)],
  remove: ({ link, address, length }) => [{ do: 'address-delete', link, address, length }],
};

/** IPv4 has no duplicate address detection. */
function wordsOf({ link, address, length, marked, metric }: AddressItem): string {
  const words = [
    ...(isIpv6(address) ? ['nodad'] : []),
    ...(marked === true ? [`proto ${OUR_PROTOCOL}`] : []),
    ...(metric === undefined ? [] : [`metric ${metric}`]),
  ];
  return [`${address}/${length} dev ${link}`, ...words].join(' ');
}

function addition({ link, address, length, marked, metric }: AddressItem): Operation {
  const flags = {
    ...(isIpv6(address) && { nodad: true }),
    ...(marked === true && { protocol: OUR_PROTOCOL }),
    ...(metric !== undefined && { metric }),
  };
  return { do: 'address-add', link, address, length, ...flags };
}
