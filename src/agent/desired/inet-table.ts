/** The table `inet meshwork`, which separates networks from each other and from the underlay. */
import { type Network, VXLAN_PORT } from '../../model/network/network.ts';
import { nftName } from '../items/nft-text.ts';
import { OUTSIDER_CHAIN, OUTSIDERS_SET } from '../items/outsider.ts';
import { type RulesetItem, type RulesetSets, sized } from '../items/ruleset.ts';
import type { RulesetInput } from './ruleset-input.ts';

const NO_SOURCES: ReadonlySet<string> = new Set();

/** The table `inet meshwork`, without the members' addresses: these come and go (`withElements`). */
export function inetTable(input: RulesetInput): RulesetItem {
  const { networks, openTo, segments, underlay, onLink, routes, countsOutsiders } = input;
  const drop = countsOutsiders ? `goto ${OUTSIDER_CHAIN}` : 'drop';
  const bridges = networks.map(({ network }) => nftName(network.devices.bridge));
  const segmentNics = segments.map(({ device }) => nftName(device));
  const sets: RulesetSets = new Map();
  sets.set('bridges', sized('type ifname', bridges));
  sets.set('within', sized('type ifname . ifname', bridges.map(twice)));
  sets.set('homes', sized('type ifname . ipv6_addr', networks.flatMap(homes)));
  for (const { network } of networks) {
    // Single addresses, never intervals: after the table is replaced, a set of intervals matches nothing for a moment (one
    // packet was lost in thirty replacements, Linux 6.18).
    sets.set(sourceSet(network), { declaration: 'type ipv4_addr', elements: NO_SOURCES, late: true });
  }
  if (segments.length > 0) sets.set('within_segments', sized('type ifname . ifname', segmentNics.map(twice)));
  sets.set('segments', sized('type ifname', segmentNics));
  sets.set('underlay', sized('type ifname', underlay.map(nftName)));

  return {
    kind: 'ruleset',
    family: 'inet',
    intact: true,
    sets,
    remembering: [PATHS_SET],
    body: [
      `  counter ${ELSEWHERE} {\n    packets 0 bytes 0\n  }\n`,
      ...(countsOutsiders ? [OUTSIDERS] : []),
      PATHS,
      ...networks.map(homeChain),
      // A source address is easily made up. It is believed on the NIC that the route to it uses, so that nobody on another
      // NIC sends as a member. Where two NICs are on one segment, the route uses one of them, and packets come in by both.
      // A source without any route is none that can be answered: a node that has just started gets its routes in a moment.
      `  chain wrong-nic {\n    fib saddr oif exists counter name ${ELSEWHERE}\n    ${drop}\n  }\n`,
      // One rule for all networks: with a rule for each, writing 500 networks took half as long again.
      `  chain ${ELSEWHERE} {\n`,
      ...onLink.map(({ device, subnet }) => `    iifname ${nftName(device)} ip saddr ${subnet} return\n`),
      `    ${VNI} vmap { ${networks.map(({ network }) => `${network.fabric.vni} : goto wrong-nic`).join(', ')} }\n  }\n`,
      ...networks.map(({ network }) => sourceRules(network, drop)),
      '  chain vxlan {\n',
      `    ${FROM_ELSEWHERE}\n`,
      `    ${VNI} vmap { ${networks.map(sourceVerdict).join(', ')} }\n`,
      '  }\n',
      // One hook for all that comes to this host: a hook costs a stream as much as ten rules.
      '  chain input {\n    type filter hook input priority raw; policy accept;\n',
      ...openTo.map(
        ({ device, subnet }) => `    udp dport ${VXLAN_PORT} iifname ${nftName(device)} ip saddr ${subnet} accept\n`,
      ),
      `    udp dport ${VXLAN_PORT} ${PATH} @${PATHS_SET} accept\n`,
      `    udp dport ${VXLAN_PORT} jump vxlan\n`,
      // Linux accepts a packet for any of its addresses on any link. Here a network's addresses are reached over its own
      // bridge only, and from a network no other address of this host is reached. Most packets of a mesh are for this
      // node's own addresses in it.
      '    iifname . ip6 daddr @homes accept\n',
      `    iifname != "lo" ip6 daddr & ${PREFIX_MASK} vmap { ${networks.map(homeVerdict).join(', ')} }\n`,
      '    iifname @bridges fib daddr type local fib daddr . iif type != local drop\n',
      '  }\n',
      '  chain isolation {\n    type filter hook forward priority filter; policy accept;\n',
      // With br_netfilter, all frames of guests pass here.
      '    iifname . oifname @within accept\n',
      // A segment may be on a bridge of the administrator.
      ...(segments.length > 0 ? ['    meta iifkind "bridge" iifname . oifname @within_segments accept\n'] : []),
      '    iifname @bridges drop\n    oifname @bridges drop\n',
      `    oifname @underlay udp dport ${VXLAN_PORT} ${FROM_ELSEWHERE}\n`,
      `    iifname @segments oifname @segments udp dport ${VXLAN_PORT} accept\n`,
      `    iifname @segments ${routes ? 'oifname @segments ' : ''}drop\n`,
      '  }\n',
    ].join(''),
  };
}

/** The VNI: the 24 bits after the UDP header (64 bits) and the VXLAN flags (32 bits), RFC 7348 §5. */
const VNI = '@th,96,24';
/** Senders can make up addresses, so their number is limited. A packet that finds no place is dropped all the same. */
const OUTSIDERS = `  set ${OUTSIDERS_SET} { typeof iifname . ip saddr . ${VNI}; size 64; flags dynamic,timeout; timeout 10m; }
  chain ${OUTSIDER_CHAIN} {
    update @${OUTSIDERS_SET} { iifname . ip saddr . ${VNI} counter }
    drop
  }
`;
/** Name of the chain, and of the counter, for VXLAN packets that came in where their source is not. */
export const ELSEWHERE = 'elsewhere';
const FROM_ELSEWHERE = `fib saddr . iif oif missing jump ${ELSEWHERE}`;

const PATHS_SET = 'paths';
const PATH = `iifname . ip saddr . ${VNI}`;
/**
 * By which NIC which member's VXLAN packets come in: those that have passed all rules. The set is emptied when a member
 * goes. A changed route counts after five seconds: until then packets are taken by the NIC that was right before.
 */
const PATHS = `  set ${PATHS_SET} { typeof ${PATH}; size 4096; flags dynamic,timeout; timeout 5s; }\n`;

/** Takes VXLAN packets of a network from its members only. */
function sourceRules(network: Network, drop: string): string {
  return [
    `  chain ${sourceChain(network)} {\n`,
    `    ip saddr != @${sourceSet(network)} ${drop}\n`,
    // What comes in by a bridge is judged by further rules.
    `    iifname != @bridges add @${PATHS_SET} { ${PATH} }\n`,
    '  }\n',
  ].join('');
}

function twice(name: string): string {
  return `${name} . ${name}`;
}

/** This node's own addresses in a network, with its bridge: elements of the set `homes`. */
function homes({ network, own }: RulesetInput['networks'][number]): string[] {
  const bridge = nftName(network.devices.bridge);
  return [own.ipv6, own.linkLocal].map((address) => `${bridge} . ${address}`);
}

/** Mask for the first 64 bits of an address: the prefix of every mesh is a /64. */
const PREFIX_MASK = 'ffff:ffff:ffff:ffff::';

function homeVerdict({ network }: RulesetInput['networks'][number]): string {
  return `${network.fabric.prefix.replace('/64', '')} : jump home-${network.fabric.vni}`;
}

/**
 * Drops packets for a network's addresses on other links. On its own bridge they are accepted without the route look-up
 * below.
 */
function homeChain({ network }: RulesetInput['networks'][number]): string {
  const bridge = nftName(network.devices.bridge);
  return `  chain home-${network.fabric.vni} {\n    iifname != ${bridge} drop\n    accept\n  }\n`;
}

/** An element of the verdict map: one look-up finds the chain of a network among any number. */
function sourceVerdict({ network }: RulesetInput['networks'][number]): string {
  return `${network.fabric.vni} : jump ${sourceChain(network)}`;
}

function sourceChain(network: Network): string {
  return `from-${network.fabric.vni}`;
}

/** Name of the set with the underlay addresses of a network's members. */
export function sourceSet(network: Network): string {
  return `sources_${network.fabric.vni}`;
}
