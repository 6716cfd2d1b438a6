/** The space of a network's services, as an item. */
import type { NetworkId } from '../../../model/network/number.ts';
import type { ItemKey, ItemKind, ServiceOperation } from '../item-kind.ts';
import { linkKey } from '../link.ts';
import { RANK } from '../rank.ts';
import { type ServiceSpace, SPACE_LINK } from './service-space.ts';

/** A space as an item. */
export interface SpaceItem {
  readonly kind: 'space';
  readonly network: NetworkId;
  readonly name: string;
  /** Absent in an observed item. */
  readonly space?: ServiceSpace;
  /** How it differs from what is wanted, each in some words. Empty in a desired item. */
  readonly flaws: readonly string[];
}

/** The key of a space. @param name the name of its namespace */
export function spaceKey(name: string): ItemKey {
  return `space:${name}`;
}

/** The desired item of a space. */
export function spaceItem(space: ServiceSpace): SpaceItem {
  return { kind: 'space', network: space.network, name: space.name, space, flaws: [] };
}

/** A space is made when its bridge is there, and goes after the processes in it. */
export const spaceKind: ItemKind<SpaceItem, ServiceOperation> = {
  key: ({ name }) => spaceKey(name),
  dependsOn: () => [],
  after: ({ network }) => [linkKey('bridge', network)],
  rank: () => RANK.space,
  // Of two desired items, the newer one is kept only where they differ. An observed item has no space, and tells its flaws.
  differences: (have, want) =>
    have.space !== undefined && want.space !== undefined && have.space !== want.space
      ? ['what the space shall be']
      : have.flaws,
  mustRecreate: () => false,
  print: ({ name, space }) =>
    space === undefined
      ? `ip netns add ${name}`
      : `ip netns add ${name} && ip link add ${space.port} mtu ${space.mtuBytes} master ${space.bridge} type veth peer ${SPACE_LINK} netns ${name}`,
  printChange: (_, { name }) => `put ${name} right`,
  printRemove: ({ name }) => `ip netns delete ${name}`,
  create: ({ space }) => (space === undefined ? [] : [{ do: 'space-make', space }]),
  change: (_, { space }) => (space === undefined ? [] : [{ do: 'space-make', space }]),
  remove: ({ name }) => [{ do: 'space-remove', name }],
};
