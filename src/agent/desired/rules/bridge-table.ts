/** The table `bridge meshwork`, which keeps guests in their place (`port-rules.ts`). */
import type { RulesetItem } from '../../items/ruleset.ts';
import { CollectedTable } from './collected-table.ts';
import type { RuleContribution, SetShare } from './contribution.ts';
import { REFUSALS, refuse, TO_GROUP } from './refusal-chains.ts';

/** The VXLAN devices: by them, no guest enters. */
export const VXLANS_SET: SetShare = { name: 'vxlans', declaration: 'type ifname', elements: [], kind: 'sized' };

/** This node's own Ethernet addresses in networks that have a port here, with the VXLAN by which frames for them come in. */
export const ARRIVALS_SET: SetShare = {
  name: 'arrivals',
  declaration: 'type ifname . ether_addr',
  elements: [],
  kind: 'sized',
};

/** The Ethernet addresses of host0 in the meshes. */
export const HOST0S_SET: SetShare = { name: 'host0s', declaration: 'type ether_addr', elements: [], kind: 'sized' };

/** By which interface a frame enters which network: one look-up finds the chain of any port. */
export const ENTRANCES_MAP: SetShare = {
  name: 'entrances',
  declaration: 'type ifname : verdict',
  elements: [],
  kind: 'sized',
};

/** Place of rules for the frames of guests, before the look-up of their entrance. */
export const GUESTS_PLACE = 'guests known';

/** Asks whether a TCP segment has no SYN (bit 110 of its header). The options of one with SYN may have to change. */
const NO_SYN = '@th,110,1 0';

/** Place of rules for frames that come in by a VXLAN, which otherwise meet none. */
export const ARRIVALS_PLACE = 'vxlan arrivals';
/** Place of rules for frames that leave by any port. */
export const DEPARTURES_PLACE = 'forwarded departures';
/**
 * Most TCP segments that a VXLAN brings. Nothing is refused there: the rules only keep in mind that the sender is still there, and
 * one of 64 segments is enough for that. Frames to a sender that is forgotten are refused from a thousand a second on. A receiver of so many
 * segments acknowledges some hundreds a second.
 */
const MOST_SEGMENTS = `meta l4proto tcp ${NO_SYN} numgen inc mod 64 != 0`;

/** The sets that the chains of the table name, also while they are empty, and the chains for refused frames. */
const OWN: RuleContribution = {
  number: 0,
  what: 'table',
  bridge: { ...REFUSALS, sets: [VXLANS_SET, ARRIVALS_SET, HOST0S_SET, ENTRANCES_MAP] },
};

/** The table `bridge meshwork`, without the members' addresses: these come and go (`withElements`). */
export function bridgeTable(contributions: readonly RuleContribution[]): RulesetItem {
  const table = new CollectedTable('bridge', [OWN, ...contributions]);
  const known = table.rulesFor(GUESTS_PLACE);
  const fromVxlan = known === '' ? 'accept' : `${MOST_SEGMENTS} accept`;
  return table.item(
    [
      '  chain guests {\n    type filter hook prerouting priority filter; policy accept;\n',
      // Frames for this node itself. The kernel's own TCP keeps to the MTU of the bridge, and no guest has heard from the sender.
      ...(table.comparisons('arrivals', 'iifname', 'ether daddr') ?? []).map((match) => `    ${match} accept\n`),
      table.rulesFor(ARRIVALS_PLACE),
      ...table.matches('vxlans', 'iifname').map((match) => `    ${match} ${fromVxlan}\n`),
      known,
      // The way of these frames ends in their chain.
      '    iifname vmap @entrances\n',
      // An interface may have been put on a bridge of ours a moment ago: host0, which may capture the traffic of this node,
      // never enters by it.
      // While the table is replaced, a frame in the old chain finds no element of a map any more, but still those of sets.
      `    iifname != @vxlans ether saddr @host0s ${refuse('member-mac')}\n`,
      '  }\n',
      // All frames of guests pass here. The kernel has asked before whether a frame is for one other machine.
      '  chain forwarded {\n    type filter hook forward priority filter; policy accept;\n',
      table.rulesFor(DEPARTURES_PLACE),
      `    meta pkttype != other ${TO_GROUP} oifname @vxlans goto flood\n  }\n`,
    ].join(''),
  );
}
