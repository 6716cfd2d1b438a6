/** The table `inet meshwork`, which separates networks from each other and from the underlay. */
import { VXLAN_PORT } from '../../../model/network/types/vxlan.ts';
import type { RulesetItem } from '../../items/ruleset.ts';
import { CollectedTable } from './collected-table.ts';
import type { RuleContribution } from './contribution.ts';

/** Places in the chains of the table, for the rules of contributions. */
export const INET_PLACE = {
  /** Drops what is above the rate of a network: to this host, through it, and from it. */
  limits: { input: 'input limits', forward: 'isolation limits', output: 'outgoing limits' },
  /** Packets to this host that are accepted whatever follows. */
  open: 'input open',
  /** VXLAN packets of senders that have passed all rules before. */
  known: 'input known',
  /** Judges the senders of VXLAN packets. */
  senders: 'input senders',
  /** What comes in by other links than a network's own bridge, and is for the network's prefix. */
  homes: 'input homes',
  /** What is forwarded between links, before the isolation of networks. */
  within: 'isolation within',
  /** Judges what leaves a network that is routed here: one look-up finds the chain of its bridge. */
  leaving: 'isolation leaving',
  /** Judges what enters a network that is routed here. */
  entering: 'isolation entering',
  /** Addresses of this node in its networks: their ports are for the guests there, and lead nowhere else. */
  kept: { ip: 'destinations kept ip', ip6: 'destinations kept ip6' },
  /** Changes destinations: ports of this host that lead to guests. For packets of others, and for this host's own. */
  forwards: 'destinations forwards',
  /** Changes sources: guests behind an address of this host. */
  sources: 'sources masquerade',
  /** What is forwarded, and neither comes from a network nor goes to one. */
  underlay: 'isolation underlay',
  /** The same, where this machine forwards for its networks alone. */
  lent: 'isolation lent',
} as const;

/** Name of the chain, and of the counter, for VXLAN packets that came in where their source is not. */
export const ELSEWHERE = 'elsewhere';
/** The bridges of networks that are routed here. Only a table with such a network has the set. */
export const ROUTED_SET = 'routed';
/** The bridges of networks whose guests reach no address of this node but those on their own bridge. */
export const CONFINED_SET = 'confined';
/** Sends a VXLAN packet that came in where its source is not to the chain `ELSEWHERE`. */
export const FROM_ELSEWHERE = `fib saddr . iif oif missing jump ${ELSEWHERE}`;

/** Addresses of this node that no link leads to, and those that are on each link: their ports lead to nobody else. */
const NOT_FORWARDED = '    ip daddr 127.0.0.0/8 return\n    ip6 daddr ::1 return\n    ip6 daddr fe80::/10 return\n';

/** A packet to the broadcast address of another link would be taken by what listens at all addresses. */
const CONFINED_RULES = ['local', 'broadcast']
  .map(
    (type) =>
      `    iifname @${CONFINED_SET} fib daddr type ${type} fib daddr . iif type != ${type} ct state != { established, related } drop\n`,
  )
  .join('');

/** The sets that the chains of the table name, also while they are empty. */
const OWN: RuleContribution = {
  number: 0,
  what: 'table',
  inet: {
    sets: [
      { name: 'bridges', declaration: 'type ifname', elements: [], kind: 'sized' },
      { name: 'within', declaration: 'type ifname . ifname', elements: [], kind: 'sized' },
      { name: 'homes', declaration: 'type ifname . ipv6_addr', elements: [], kind: 'sized' },
      { name: 'segments', declaration: 'type ifname', elements: [], kind: 'sized' },
      { name: 'underlay', declaration: 'type ifname', elements: [], kind: 'sized' },
    ],
  },
};

/** The table `inet meshwork`, without the members' addresses: these come and go (`withElements`). */
export function inetTable(contributions: readonly RuleContribution[]): RulesetItem {
  const table = new CollectedTable('inet', [OWN, ...contributions]);
  const kept = [table.rulesFor(INET_PLACE.kept.ip), table.rulesFor(INET_PLACE.kept.ip6)].join('');
  const forwards = table.rulesFor(INET_PLACE.forwards);
  const sources = table.rulesFor(INET_PLACE.sources);
  const [leaving, entering] = [table.rulesFor(INET_PLACE.leaving), table.rulesFor(INET_PLACE.entering)];
  const isRouter = leaving !== '';
  const outgoing = table.rulesFor(INET_PLACE.limits.output);
  return table.item(
    [
      // A bridge without a verdict of its own fails closed. A packet that is in the chain while the table is replaced finds no verdict
      // either: flows that were let through go on.
      ...(isRouter
        ? [
            `  chain leaving {\n${leaving}    ct state established,related return\n    drop\n  }\n`,
            `  chain entering {\n${entering}    ct state established,related return\n    drop\n  }\n`,
          ]
        : []),
      `  counter ${ELSEWHERE} {\n    packets 0 bytes 0\n  }\n`,
      // One hook for all that comes to this host: each further hook costs every packet a call, even where no rule fits.
      '  chain input {\n    type filter hook input priority raw; policy accept;\n',
      table.rulesFor(INET_PLACE.limits.input),
      table.rulesFor(INET_PLACE.open),
      table.rulesFor(INET_PLACE.known),
      table.rulesFor(INET_PLACE.senders),
      // Linux accepts a packet for any of its addresses on any link. Here a network's addresses are reached over its own
      // bridge only, and from a network no other address of this host is reached. Most packets of a mesh are for this
      // node's own addresses in it.
      ...accepting(table.matches('homes', 'iifname', 'ip6 daddr')),
      table.rulesFor(INET_PLACE.homes),
      '    iifname @bridges fib daddr type local fib daddr . iif type != local drop\n',
      // Answers to this node come to the address from which it asked.
      table.has(CONFINED_SET) ? CONFINED_RULES : '',
      '  }\n',
      '  chain isolation {\n    type filter hook forward priority filter; policy accept;\n',
      // With br_netfilter, all frames of guests pass here.
      ...accepting(table.matches('within', 'iifname', 'oifname')),
      table.rulesFor(INET_PLACE.within),
      table.rulesFor(INET_PLACE.limits.forward),
      isRouter ? `    iifname @${ROUTED_SET} jump leaving\n    oifname @${ROUTED_SET} jump entering\n` : '',
      '    iifname @bridges drop\n    oifname @bridges drop\n',
      // What has passed the chains of a network that is routed here, and comes from no isolated one, nor goes to one.
      isRouter ? `    iifname @${ROUTED_SET} accept\n    oifname @${ROUTED_SET} accept\n` : '',
      `    oifname @underlay udp dport ${VXLAN_PORT} ${FROM_ELSEWHERE}\n`,
      `    iifname @segments oifname @segments udp dport ${VXLAN_PORT} accept\n`,
      table.rulesFor(INET_PLACE.underlay),
      table.rulesFor(INET_PLACE.lent),
      '  }\n',
      outgoing === ''
        ? ''
        : `  chain outgoing {\n    type filter hook output priority filter; policy accept;\n${outgoing}  }\n`,
      ...natChains(forwards === '' ? '' : `${NOT_FORWARDED}${kept}${forwards}`, sources),
    ].join(''),
  );
}

/**
 * The chains that change addresses; none where no network has such rules: each hook costs every packet a call. A mesh has no port of this
 * host that leads elsewhere: host0's own ports are there.
 */
function natChains(forwards: string, sources: string): string[] {
  return [
    ...(forwards === ''
      ? []
      : [
          '  chain destinations {\n    type nat hook prerouting priority dstnat; policy accept;\n',
          `    iifname @bridges return\n${forwards}  }\n`,
          '  chain own-destinations {\n    type nat hook output priority -100; policy accept;\n',
          `${forwards}  }\n`,
        ]),
    ...(sources === ''
      ? []
      : ['  chain sources {\n    type nat hook postrouting priority srcnat; policy accept;\n', `${sources}  }\n`]),
  ];
}

function accepting(matches: readonly string[]): string[] {
  return matches.map((match) => `    ${match} accept\n`);
}
