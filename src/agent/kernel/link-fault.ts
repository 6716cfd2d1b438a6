/** Why a link carries no packets for the addresses that are on it. */

import type { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import type { Link } from '../../kernel/rtnl/objects.ts';
import { parseAlias } from '../items/mark.ts';

/** What is wrong with a link, as a sentence without a full stop, and what to do about it. */
export interface LinkFault {
  readonly message: string;
  readonly remedy: string;
}

/**
 * The kernel hands frames of such a port to its master before IP sees them (rx_handler, net/core/dev.c), so an address on the
 * port gets no packets. A VRF takes packets after IP's input, and its ports keep their addresses.
 */
const TAKES_FRAMES: ReadonlySet<string> = new Set(['bridge', 'bond', 'team', 'openvswitch', 'ovs-system']);

/** The fault of a link that is down, has no carrier, or is a port of a bridge or bond; undefined when it has none. */
export function linkFault({ links }: Pick<KernelTables, 'links'>, link: Link): LinkFault | undefined {
  const { name } = link;
  if (link.loopback) return undefined;
  if (!link.up) return { message: `${name} is down`, remedy: `Take it up: \`ip link set ${name} up\`.` };
  if (!link.running) {
    return {
      message: `${name} has no carrier`,
      remedy: `See the cable of ${name}, the switch at its other end, and that the switch port is on.`,
    };
  }
  const master = links.get(link.master);
  if (master === undefined || !TAKES_FRAMES.has(master.kind)) return undefined;
  const network = parseAlias(master.alias)?.device === 'bridge';
  return {
    message: `${name} is a port of ${network ? `${master.name}, a mesh's bridge` : `the ${master.kind} ${master.name}`}, which takes all packets that come in on ${name}`,
    remedy: network
      ? `Take it off: \`mesh port unplug ${name}\`. A mesh reaches other machines through ${name} without being plugged into it.`
      : `Take it off: \`ip link set ${name} nomaster\`. To keep it there, move its addresses and routes to ${master.name}.`,
  };
}
