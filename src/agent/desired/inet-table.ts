/** The table `inet meshwork`, which separates networks from each other and from the underlay. */
import { isMesh, type Mesh } from '../../model/network/mesh.ts';
import type { Network } from '../../model/network/network.ts';
import { VXLAN_PORT } from '../../model/network/types/vxlan.ts';
import { isNftName, nftName } from '../items/nft-text.ts';
import { OUTSIDER_CHAIN, OUTSIDERS_SET } from '../items/outsider.ts';
import { type RulesetItem, type RulesetSets, sized } from '../items/ruleset.ts';
import { type NetworkRules, type RulesetInput, type VxlanRules, withVxlan } from './ruleset-input.ts';

const NO_SOURCES: ReadonlySet<string> = new Set();

/** The table `inet meshwork`, without the members' addresses: these come and go (`withElements`). */
export function inetTable(input: RulesetInput): RulesetItem {
  const { networks, openTo, segments, underlay, onLink, routes, countsOutsiders } = input;
  const drop = countsOutsiders ? `goto ${OUTSIDER_CHAIN}` : 'drop';
  const vxlans = withVxlan(networks);
  const meshes = networks.map(({ network }) => network).filter(isMesh);
  const bridges = networks.map(({ network }) => nftName(network.bridge.name));
  const segmentNics = segments.map(({ device }) => nftName(device));
  const sets: RulesetSets = new Map();
  sets.set('bridges', sized('type ifname', bridges));
  sets.set('within', sized('type ifname . ifname', bridges.map(twice)));
  sets.set('homes', sized('type ifname . ipv6_addr', networks.flatMap(homes)));
  for (const { network, vxlan } of vxlans) {
    if (vxlan.senders !== 'listed') continue;
    // Single addresses, never intervals: after the table is replaced, a set of intervals matches nothing for a moment (one
    // packet was lost in thirty replacements, Linux 6.18).
    sets.set(sourceSet(network), { declaration: `type ${vxlan.underlay}_addr`, elements: NO_SOURCES, late: true });
  }
  if (segments.length > 0) sets.set('within_segments', sized('type ifname . ifname', segmentNics.map(twice)));
  sets.set('segments', sized('type ifname', segmentNics));
  sets.set('underlay', sized('type ifname', underlay.map(nftName)));
  const ports = [...Map.groupBy(vxlans, ({ vxlan }) => vxlan.udpPort)];
  const ways = [...Map.groupBy(vxlans, ({ vxlan }) => pathsSet(vxlan))];

  return {
    kind: 'ruleset',
    family: 'inet',
    intact: true,
    sets,
    remembering: ways.map(([set]) => set),
    body: [
      `  counter ${ELSEWHERE} {\n    packets 0 bytes 0\n  }\n`,
      ...(countsOutsiders ? [OUTSIDERS] : []),
      ...meshes.map(homeChain),
      ...ways.flatMap(([set, [first]]) => (first === undefined ? [] : [pathsOf(set, first)])),
      // A source address is easily made up. It is believed on the NIC that the route to it uses, so that nobody on another
      // NIC sends as a member. Where two NICs are on one segment, the route uses one of them, and packets come in by both.
      // A source without any route is none that can be answered: a node that has just started gets its routes in a moment.
      `  chain wrong-nic {\n    fib saddr oif exists counter name ${ELSEWHERE}\n    ${drop}\n  }\n`,
      // One rule for all networks: with a rule for each, writing 500 networks took half as long again.
      `  chain ${ELSEWHERE} {\n`,
      ...onLink.map(({ device, subnet }) => `    iifname ${nftName(device)} ip saddr ${subnet} return\n`),
      ...verdicts(
        VNI,
        vxlans.map(({ vxlan }) => `${vxlan.vni} : goto wrong-nic`),
      ),
      '  }\n',
      ...vxlans.map((rules) => `  chain ${sourceChain(rules.network)} {\n${sourceRules(rules, drop).join('')}  }\n`),
      ...ports.map(([udpPort, group]) =>
        [
          `  chain vxlan-${udpPort} {\n    ${FROM_ELSEWHERE}\n`,
          ...verdicts(VNI, group.map(sourceVerdict)),
          '  }\n',
        ].join(''),
      ),
      // One hook for all that comes to this host: each further hook costs every packet a call, even where no rule fits.
      '  chain input {\n    type filter hook input priority raw; policy accept;\n',
      ...openTo.map(
        ({ device, subnet }) => `    udp dport ${VXLAN_PORT} iifname ${nftName(device)} ip saddr ${subnet} accept\n`,
      ),
      ...ways.flatMap(([set, [first]]) => (first === undefined ? [] : [knownPath(set, first)])),
      ...ports.map(([udpPort]) => `    udp dport ${udpPort} jump vxlan-${udpPort}\n`),
      // Linux accepts a packet for any of its addresses on any link. Here a network's addresses are reached over its own
      // bridge only, and from a network no other address of this host is reached. Most packets of a mesh are for this
      // node's own addresses in it.
      '    iifname . ip6 daddr @homes accept\n',
      ...verdicts(`iifname != "lo" ip6 daddr & ${PREFIX_MASK}`, meshes.map(homeVerdict)),
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

/**
 * Name of the set that remembers by which NIC which senders' VXLAN packets come in, for one UDP port and address family:
 * those that have passed all rules. The set is emptied when a member goes. A changed route counts after five seconds: until
 * then packets are taken by the NIC that was right before.
 */
function pathsSet({ udpPort, underlay }: VxlanRules['vxlan']): string {
  return `paths_${udpPort}_${underlay}`;
}

function path({ vxlan }: VxlanRules): string {
  return `iifname . ${sourceField(vxlan)} . ${VNI}`;
}

function pathsOf(set: string, rules: VxlanRules): string {
  return `  set ${set} { typeof ${path(rules)}; size 4096; flags dynamic,timeout; timeout 5s; }\n`;
}

function knownPath(set: string, rules: VxlanRules): string {
  return `    udp dport ${rules.vxlan.udpPort} ${path(rules)} @${set} accept\n`;
}

function sourceField({ underlay }: VxlanRules['vxlan']): string {
  return underlay === 'ipv4' ? 'ip saddr' : 'ip6 saddr';
}

function twice(name: string): string {
  return `${name} . ${name}`;
}

/** This node's own addresses in a network, with its bridge: elements of the set `homes`. */
function homes({ network, own }: NetworkRules): string[] {
  const bridge = nftName(network.bridge.name);
  return [own.ipv6, own.linkLocal].flatMap((address) => (address === undefined ? [] : [`${bridge} . ${address}`]));
}

/** Mask for the first 64 bits of an address: the prefix of every mesh is a /64. */
const PREFIX_MASK = 'ffff:ffff:ffff:ffff::';

/** A rule that looks up its verdict in a map; no rule for an empty map, which nft cannot write. */
function verdicts(key: string, elements: readonly string[]): string[] {
  // Two networks may have one VNI on two UDP ports.
  return elements.length === 0 ? [] : [`    ${key} vmap { ${[...new Set(elements)].join(', ')} }\n`];
}

function homeVerdict({ hostAddress, type }: Mesh): string {
  return `${hostAddress.prefix.replace('/64', '')} : jump home-${type.vni}`;
}

/**
 * Drops packets for a network's addresses on other links. On its own bridge they are accepted without the route look-up
 * below.
 */
function homeChain({ bridge, type }: Mesh): string {
  return `  chain home-${type.vni} {\n    iifname != ${nftName(bridge.name)} drop\n    accept\n  }\n`;
}

/** An element of the verdict map: one look-up finds the chain of a network among any number. */
function sourceVerdict({ network, vxlan }: VxlanRules): string {
  return `${vxlan.vni} : jump ${sourceChain(network)}`;
}

/** Drops VXLAN packets of a network from others than its senders. */
function sourceRules(rules: VxlanRules, drop: string): string[] {
  const { network, vxlan } = rules;
  const source = sourceField(vxlan);
  const remember = `add @${pathsSet(vxlan)} { ${path(rules)} }`;
  // What comes in by a bridge is judged by further rules.
  if (vxlan.senders === 'listed')
    return [`    ${source} != @${sourceSet(network)} ${drop}\n`, `    iifname != @bridges ${remember}\n`];
  const { device, subnets } = vxlan.senders;
  const from = (subnet: string) => `    iifname ${nftName(device)} ${source} ${subnet} ${remember} return\n`;
  // Rules, and no set of intervals: see above.
  return [...(isNftName(device) ? subnets.map(from) : []), '    drop\n'];
}

function sourceChain({ number }: Network): string {
  return `from-${number}`;
}

/** Name of the set with the underlay addresses of a network's members. */
export function sourceSet({ number }: Network): string {
  return `sources_${number}`;
}
