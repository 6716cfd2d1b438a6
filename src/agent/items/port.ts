/**
 * Ports: foreign interfaces on our bridges. An administrator plugs one in with `mesh port plug`, or puts one on the
 * bridge directly; the agent puts both back after it had to create the bridge again. The agent owns the membership in
 * the bridge, not the interface.
 */
import type { NetworkId } from '../../model/network/number.ts';
import type { ItemKey, ItemKind } from './item-kind.ts';
import { linkKey } from './link.ts';
import { RANK } from './rank.ts';

/** One interface on a bridge. */
export interface PortItem {
  readonly kind: 'port';
  readonly network: NetworkId;
  /** Name of the interface. */
  readonly link: string;
  /** Name of the bridge; in an observed item it may be a foreign bridge. */
  readonly bridge: string;
}

/** `port:tap0`: an interface is a port of one bridge at most. */
export function portKey(link: string): ItemKey {
  return `port:${link}`;
}

/** Only the interface's master is set; the interface itself is neither created nor deleted. */
export const portKind: ItemKind<PortItem> = {
  key: ({ link }) => portKey(link),
  dependsOn: (item) => [linkKey('bridge', item.network)],
  rank: () => RANK.port,
  differences: (have, want) => (have.bridge === want.bridge ? [] : [`master ${have.bridge} → ${want.bridge}`]),
  mustRecreate: () => false,
  print: ({ link, bridge }) => `ip link set ${link} master ${bridge}`,
  printRemove: ({ link }) => `ip link set ${link} nomaster`,
  create: ({ link, bridge }) => [{ do: 'link-set', link, change: { master: bridge } }],
  change: (_, { link, bridge }) => [{ do: 'link-set', link, change: { master: bridge } }],
  remove: ({ link }) => [{ do: 'link-set', link, change: { master: '' } }],
};
