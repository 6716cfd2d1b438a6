/** A port of host0's on a physical wire: it must be up, or nobody boots there. It is never set down, since it is not ours. */
import type { ItemKind } from './item-kind.ts';

export interface WireItem {
  readonly kind: 'wire';
  readonly link: string;
  readonly up: boolean;
}

export const wireKind: ItemKind<WireItem> = {
  key: ({ link }) => `wire:${link}`,
  dependsOn: () => [],
  rank: () => 0,
  differences: (have, want) => (have.up === want.up ? [] : ['down → up']),
  mustRecreate: () => false,
  print: ({ link }) => `ip link set ${link} up`,
  create: ({ link, up }) => [{ do: 'link-set', link, change: { up } }],
  change: (_, { link, up }) => [{ do: 'link-set', link, change: { up } }],
  remove: () => [],
};
