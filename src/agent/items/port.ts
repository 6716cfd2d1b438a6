/**
 * Ports: foreign interfaces on our bridges. An administrator plugs one in with `mesh port plug`, or puts one on the
 * bridge directly; the agent puts both back after it had to create the bridge again. The agent owns the membership in
 * the bridge, not the interface.
 */
import type { LinkOptions } from '../../kernel/rtnl/link-options.ts';
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
  /** Whether the bridge learns the senders of frames that arrive here. Absent in a desired item: as it is. */
  readonly learning?: boolean;
  /** Frames of other isolated ports do not leave here. Absent in a desired item: as it is. */
  readonly isolated?: boolean;
}

/** `port:tap0`: an interface is a port of one bridge at most. */
export function portKey(link: string): ItemKey {
  return `port:${link}`;
}

/** Whether the bridge learns at the port as wanted. A port that moves to another bridge is a new one there. */
function learnsRight(have: PortItem, { learning }: PortItem): boolean {
  return learning === undefined || have.learning === learning;
}

/** Whether the port is isolated as wanted. A port that moves to another bridge is a new one there. */
function isolatedRight(have: PortItem, { isolated }: PortItem): boolean {
  return isolated === undefined || (have.isolated ?? false) === isolated;
}

function onOff(value: boolean | undefined): string {
  return value === false ? 'off' : 'on';
}

function settingWords({ learning, isolated }: Pick<PortItem, 'learning' | 'isolated'>): string {
  const words = [
    ...(learning === undefined ? [] : [`learning ${onOff(learning)}`]),
    ...(isolated === undefined ? [] : [`isolated ${onOff(isolated)}`]),
  ];
  return words.length === 0 ? '' : ` type bridge_slave ${words.join(' ')}`;
}

/** What a new port has that is not as the kernel makes it. */
function oddOf({ learning, isolated }: PortItem): Pick<PortItem, 'learning' | 'isolated'> {
  return { ...(learning === false && { learning }), ...(isolated === true && { isolated }) };
}

function isolation(isolated: boolean): LinkOptions {
  return { 'port isolated': Number(isolated) };
}

/** Only the interface's master is set; the interface itself is neither created nor deleted. */
export const portKind: ItemKind<PortItem> = {
  key: ({ link }) => portKey(link),
  dependsOn: (item) => [linkKey('bridge', item.network)],
  rank: () => RANK.port,
  differences: (have, want) => [
    ...(have.bridge === want.bridge ? [] : [`master ${have.bridge} → ${want.bridge}`]),
    ...(learnsRight(have, want) ? [] : [`learning ${onOff(have.learning)} → ${onOff(want.learning)}`]),
    ...(isolatedRight(have, want) ? [] : [`isolated ${onOff(have.isolated ?? false)} → ${onOff(want.isolated)}`]),
  ],
  mustRecreate: () => false,
  print: (item) => `ip link set ${item.link} master ${item.bridge}${settingWords(oddOf(item))}`,
  printChange: (have, want) =>
    `ip link set ${want.link}${have.bridge === want.bridge ? '' : ` master ${want.bridge}`}${settingWords({
      ...(!learnsRight(have, want) && want.learning !== undefined && { learning: want.learning }),
      ...(!isolatedRight(have, want) && want.isolated !== undefined && { isolated: want.isolated }),
    })}`,
  printRemove: ({ link }) => `ip link set ${link} nomaster`,
  create: ({ link, bridge, learning, isolated }) => [
    {
      do: 'link-set',
      link,
      change: {
        master: bridge,
        ...(learning === false && { port: { learning } }),
        ...(isolated === true && { options: isolation(isolated) }),
      },
    },
  ],
  // On another bridge, the port is a new one, which learns.
  change: (have, { link, bridge, learning, isolated }) => [
    {
      do: 'link-set',
      link,
      change: {
        ...(have.bridge !== bridge && { master: bridge }),
        ...(learning !== undefined && { port: { learning } }),
        ...(isolated !== undefined && { options: isolation(isolated) }),
      },
    },
  ],
  remove: ({ link }) => [{ do: 'link-set', link, change: { master: '' } }],
};
