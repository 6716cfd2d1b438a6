/**
 * host0's own address on a segment that it gave a subnet. Marked by its protocol (IFA_PROTO), so that it is found and taken
 * away again when the segment is not host0's any more. Kernels before 5.18 do not keep the mark: there it stays until a reboot.
 */
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { ItemKind } from './item-kind.ts';
import { OUR_PROTOCOL } from './mark.ts';

export interface UnderlayAddressItem {
  readonly kind: 'underlay-address';
  readonly link: string;
  readonly address: Ipv4;
  readonly length: number;
}

export const underlayAddressKind: ItemKind<UnderlayAddressItem> = {
  key: (item) => `underlay-address:${item.link} ${item.address}/${item.length}`,
  // It stays when its port is set down, and needs none that is up.
  dependsOn: () => [],
  rank: () => 1,
  differences: () => [],
  mustRecreate: () => false,
  print: ({ link, address, length }) => `ip address add ${address}/${length} dev ${link} proto ${OUR_PROTOCOL}`,
  create: ({ link, address, length }) => [{ do: 'address-add', link, address, length, protocol: OUR_PROTOCOL }],
  change: () => [],
  remove: ({ link, address, length }) => [{ do: 'address-delete', link, address, length }],
};
