/**
 * host0's own IPv4 addresses on segments that it gave a subnet. Each is marked with our protocol (IFA_PROTO), so that
 * the agent finds and removes it when host0 no longer serves the segment. Kernels before 5.18 do not keep the mark:
 * there the address stays until a reboot.
 */
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { ItemKind } from './item-kind.ts';
import { OUR_PROTOCOL } from './mark.ts';
import { RANK } from './rank.ts';

/** One IPv4 address on a NIC. */
export interface UnderlayAddressItem {
  readonly kind: 'underlay-address';
  /** Name of the NIC. */
  readonly link: string;
  readonly address: Ipv4;
  /** Prefix length in bits. */
  readonly length: number;
}

/** Addresses are added or deleted, never changed. */
export const underlayAddressKind: ItemKind<UnderlayAddressItem> = {
  key: (item) => `underlay-address:${item.link} ${item.address}/${item.length}`,
  // An IPv4 address can be added while its NIC is down, and stays when the NIC is set down.
  dependsOn: () => [],
  rank: () => RANK.underlayAddress,
  differences: () => [],
  mustRecreate: () => false,
  print: ({ link, address, length }) => `ip address add ${address}/${length} dev ${link} proto ${OUR_PROTOCOL}`,
  create: ({ link, address, length }) => [{ do: 'address-add', link, address, length, protocol: OUR_PROTOCOL }],
  change: () => [],
  remove: ({ link, address, length }) => [{ do: 'address-delete', link, address, length }],
};
