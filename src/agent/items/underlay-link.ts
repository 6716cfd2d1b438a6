/**
 * host0's NICs on segments where machines boot. Such a NIC must be up. The agent never sets it down, because the NIC is
 * the administrator's.
 */
import type { ItemKind } from './item-kind.ts';
import { RANK } from './rank.ts';

/** The administrative state of one NIC. */
export interface UnderlayLinkItem {
  readonly kind: 'underlay-link';
  /** Name of the NIC. */
  readonly link: string;
  readonly up: boolean;
}

/** NICs are set up, and nothing else. */
export const underlayLinkKind: ItemKind<UnderlayLinkItem> = {
  key: ({ link }) => `underlay-link:${link}`,
  dependsOn: () => [],
  rank: () => RANK.underlayLink,
  differences: (have, want) => (have.up === want.up ? [] : ['down → up']),
  mustRecreate: () => false,
  print: ({ link }) => `ip link set ${link} up`,
  create: ({ link, up }) => [{ do: 'link-set', link, change: { up } }],
  change: (_, { link, up }) => [{ do: 'link-set', link, change: { up } }],
  remove: () => [],
};
