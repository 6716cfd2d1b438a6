/**
 * A foreign interface on one of our bridges: plugged with `mesh port plug`, or put there by somebody else and put back
 * after the bridge had to be made anew. The interface itself is not ours; only its place on the bridge is.
 */
import type { NetworkId } from '../../model/network/network.ts';
import type { ItemKey, ItemKind } from './item-kind.ts';
import { linkKey } from './link.ts';

export interface PortItem {
  readonly kind: 'port';
  readonly network: NetworkId;
  readonly link: string;
  readonly bridge: string;
}

export function portKey(link: string): ItemKey {
  return `port:${link}`;
}

export const portKind: ItemKind<PortItem> = {
  key: ({ link }) => portKey(link),
  dependsOn: (item) => [linkKey('bridge', item.network)],
  rank: () => 3,
  differences: (have, want) => (have.bridge === want.bridge ? [] : [`master ${have.bridge} → ${want.bridge}`]),
  mustRecreate: () => false,
  print: ({ link, bridge }) => `ip link set ${link} master ${bridge}`,
  printRemove: ({ link }) => `ip link set ${link} nomaster`,
  create: ({ link, bridge }) => [{ do: 'link-set', link, change: { master: bridge } }],
  change: (_, { link, bridge }) => [{ do: 'link-set', link, change: { master: bridge } }],
  remove: ({ link }) => [{ do: 'link-set', link, change: { master: '' } }],
};
