/**
 * The place in which a network is served on a node: a network namespace of its own, joined to the network's bridge by a veth. So
 * customers may use the same subnets, and the servers of one network neither see nor hear those of another.
 */
import type { Ip } from '../../kernel/ip.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { ItemKey, ItemKind, ServiceOperation } from './item-kind.ts';
import { linkKey } from './link.ts';
import { RANK } from './rank.ts';

/** The name of the veth inside the namespace. */
export const SPACE_LINK = 'eth0';

/** A namespace with its link to the bridge. */
export interface ServiceSpace {
  readonly network: NetworkId;
  /** `meshwork-ff01` */
  readonly name: string;
  /** Where the namespace is mounted. */
  readonly path: string;
  /** The end of the veth on the bridge: `sff01`. */
  readonly port: string;
  readonly bridge: string;
  /** The Ethernet address inside. */
  readonly mac: Mac;
  readonly mtuBytes: number;
  /** The addresses inside. */
  readonly addresses: readonly { readonly address: Ip; readonly length: number }[];
}

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
  differences: ({ flaws }) => flaws,
  mustRecreate: () => false,
  print: ({ name, space }) =>
    space === undefined
      ? `ip netns add ${name}`
      : `ip netns add ${name} && ip -n ${name} link add ${SPACE_LINK} address ${space.mac} mtu ${space.mtuBytes} type veth peer ${space.port} netns 1`,
  printChange: (_, { name }) => `put ${name} right`,
  printRemove: ({ name }) => `ip netns delete ${name}`,
  create: ({ space }) => (space === undefined ? [] : [{ do: 'space-make', space }]),
  change: (_, { space }) => (space === undefined ? [] : [{ do: 'space-make', space }]),
  remove: ({ name }) => [{ do: 'space-remove', name }],
};
