/** A port of host0's on a physical segment: it must be up, or nobody boots there. It is never set down, since it is not ours. */
import type { ItemKind } from './item-kind.ts';

export interface UnderlayLinkItem {
  readonly kind: 'underlay-link';
  readonly link: string;
  readonly up: boolean;
}

export const underlayLinkKind: ItemKind<UnderlayLinkItem> = {
  key: ({ link }) => `underlay-link:${link}`,
  dependsOn: () => [],
  rank: () => 0,
  differences: (have, want) => (have.up === want.up ? [] : ['down → up']),
  mustRecreate: () => false,
  print: ({ link }) => `ip link set ${link} up`,
  create: ({ link, up }) => [{ do: 'link-set', link, change: { up } }],
  change: (_, { link, up }) => [{ do: 'link-set', link, change: { up } }],
  remove: () => [],
};
