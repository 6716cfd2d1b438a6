/** Which cards can go under a bridge, and which names are free for it. Pure. */
import { LINK_NAME_MAX, plainLinkName } from '../formats/distribution/bridge-wish.ts';
import type { Link } from '../kernel/rtnl/objects.ts';
import { MeshError } from '../model/error.ts';

/** What is asked for: the bridge gets a name of its own, or the card's. */
export type BridgeName = { readonly name: string } | 'kept';

/** The names of a card and its bridge. */
export interface NicNames {
  readonly card: string;
  readonly cardAfter: string;
  readonly bridge: string;
  readonly bridgeBefore: string;
}

/** The kinds of links that have the wire of a machine behind them; the empty one is a card. A container has a veth. */
const KINDS = new Set(['', 'veth', 'bond', 'team']);
/** The names of the bridges of networks: `br` and a number, decimal or hex. */
const NETWORK_BRIDGE = /^br[1-9a-f][0-9a-f]*$/;
/** The name of a bridge that is about to get the name of its card. */
const NEWCOMER = 'mesh-bridge';

/**
 * Chooses the names. A card that gives its name away gets a `p` before it, as in `peth0`.
 * @throws MESH_USAGE
 */
export function nicNames(card: string, wanted: BridgeName): NicNames {
  plainLinkName(card);
  if (wanted === 'kept') {
    const cardAfter = `p${card}`;
    if (cardAfter.length > LINK_NAME_MAX) {
      throw new MeshError('MESH_USAGE', `${cardAfter}, as the card would be called, is too long a name`, {
        object: card,
        rule: `The name of a network device has at most ${LINK_NAME_MAX} characters.`,
        remedy: 'Give the bridge a name of its own: leave --keep-name out, or write --name br0.',
      });
    }
    return { card, cardAfter, bridge: card, bridgeBefore: NEWCOMER };
  }
  const bridge = plainLinkName(wanted.name);
  if (NETWORK_BRIDGE.test(bridge)) {
    throw new MeshError('MESH_USAGE', `${bridge} is the name of the bridge of a network`, {
      object: bridge,
      rule: 'A network with the number 5 has the bridge br5, and one with the number 0xff01 brff01.',
      remedy: 'Choose another name, such as br0 or lan0.',
    });
  }
  return { card, cardAfter: card, bridge, bridgeBefore: bridge };
}

/**
 * The card, if it can go under a bridge.
 * @param isWireless whether the card is a station of a wireless network
 * @throws MESH_OBJECT_UNKNOWN, MESH_NIC_UNFIT, MESH_ALREADY_MADE
 */
export function fitCard(
  links: readonly Link[],
  { card, cardAfter, bridge, bridgeBefore }: NicNames,
  isWireless: boolean,
): Link {
  const link = links.find(({ name }) => name === card);
  if (link === undefined) {
    const cards = links.filter(({ kind, loopback }) => kind === '' && !loopback).map(({ name }) => name);
    throw new MeshError('MESH_OBJECT_UNKNOWN', `there is no network device ${card}`, {
      object: card,
      remedy: cards.length === 0 ? 'See `ip link`.' : `Name a card of this machine: ${cards.join(', ')}.`,
    });
  }
  const fault = faultOf(links, link, isWireless);
  if (fault !== undefined) {
    const [message, rule, remedy] = fault;
    throw new MeshError('MESH_NIC_UNFIT', message, { operation: 'put under a bridge', object: card, rule, remedy });
  }
  for (const name of new Set([cardAfter, bridge, bridgeBefore])) {
    if (name === card || !links.some((other) => other.name === name)) continue;
    throw new MeshError('MESH_ALREADY_MADE', `there is a network device ${name} already`, {
      object: name,
      remedy:
        name === bridge
          ? 'Choose another name with --name.'
          : `Rename or delete ${name}, or give the bridge a name of its own with --name.`,
    });
  }
  return link;
}

/** What is wrong with a card, which rule it breaks, and what to do. */
type Fault = readonly [message: string, rule: string, remedy: string];

function faultOf(links: readonly Link[], link: Link, isWireless: boolean): Fault | undefined {
  const { name, kind, index } = link;
  if (link.alias.startsWith('meshwork:')) {
    return [
      `${name} is a device of a network`,
      'Meshwork makes and removes such devices itself.',
      'Name a network card.',
    ];
  }
  if (link.loopback || !KINDS.has(kind)) {
    const what = link.loopback ? 'the loopback device' : `a device of the kind ${kind}`;
    return [`${name} is ${what}`, 'Only a network card, a bond or a veth goes under a bridge.', 'Name a network card.'];
  }
  if (isWireless) {
    return [
      `${name} is a wireless card`,
      'An access point takes frames only from the address of the station, so guests behind a bridge would hear nothing.',
      'Use a card with a cable, or a network with NAT.',
    ];
  }
  if (link.master !== 0) {
    const master = links.find((other) => other.index === link.master);
    const what = master?.kind === 'bridge' ? 'a port of the bridge' : `a member of the ${master?.kind || 'device'}`;
    const remedy =
      master?.kind === 'bridge'
        ? `Plug guests into ${master.name}: a bridge that is there is used as it is.`
        : `Name ${master?.name ?? 'the device that it belongs to'} in place of ${name}.`;
    return [`${name} is ${what} ${master?.name ?? ''}`.trimEnd(), 'A device has one master.', remedy];
  }
  const above = links.filter((other) => other.lower === index);
  if (above.length > 0) {
    return [
      `${above.map((other) => other.name).join(', ')} ${above.length === 1 ? 'is' : 'are'} on ${name}`,
      'A VLAN or macvlan takes frames from the card before the bridge sees them, so guests would miss them.',
      `Delete ${above.length === 1 ? 'it' : 'them'}, bridge the card, and make the VLAN on the bridge: \`ip link add link BRIDGE …\`.`,
    ];
  }
  const bound = links.find(({ vxlan }) => vxlan?.underlay === index);
  if (bound !== undefined) {
    return [
      `${bound.name} is bound to ${name} as its underlay`,
      'The groups of such a network are joined on the device that it names, and frames would arrive at the bridge.',
      'Take the network away from this machine, bridge the card, and let the network name the bridge.',
    ];
  }
  if (!link.up)
    return [
      `${name} is down`,
      'Only a card that is up shows whether its bridge works.',
      `Set it up: \`ip link set ${name} up\`.`,
    ];
  return undefined;
}
