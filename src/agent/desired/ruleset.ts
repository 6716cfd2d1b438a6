/**
 * The nft tables of a node, from its networks. `inet meshwork` keeps networks apart from each other and from the
 * underlay; `bridge meshwork` makes large guests' TCP fit, and keeps guests from what only a router may do. Every rule is
 * right with bridge-nf-call-* on and off: with it on, bridged frames pass the inet hooks too, with the bridge as both
 * input and output interface, all but `input`, which is for this host alone.
 */
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import { memberAddresses } from '../../model/network/member.ts';
import { type Network, VXLAN_PORT } from '../../model/network/network.ts';
import type { Segment } from '../../protocol/documents/assignment.ts';
import type { RulesetItem } from '../items/ruleset.ts';

export interface RulesetInput {
  readonly networks: readonly {
    readonly network: Network;
    /** Where VXLAN packets of this network may come from. */
    readonly sources: ReadonlySet<Ipv4>;
  }[];
  /** Where VXLAN packets of any network may come from: host0's subnets, where anybody may ask to join. */
  readonly openTo: readonly Ipv4Cidr[];
  /** host0's segments; forwarding between them carries VXLAN and nothing else. */
  readonly segments: readonly Segment[];
  /** The machine is a router without us: what goes from a segment to elsewhere is not ours to stop. */
  readonly routes: boolean;
  /** Interfaces of others on our bridges. There is no rule for one that is not nameable; none of these is plugged. */
  readonly ports: readonly {
    readonly link: string;
    /** The port of a guest, who is trusted with nothing: an administrator plugged it in by our command. */
    readonly plugged: boolean;
  }[];
}

/** Whether nft can speak of an interface of this name: it has no escape for a quote, and takes a last `*` for a pattern. */
export function isNameable(link: string): boolean {
  return /^[\w.@+-]+$/.test(link);
}

/** The tables that should be there: none on a node without a network. */
export function rulesets(input: RulesetInput): RulesetItem[] {
  if (input.networks.length === 0) return [];
  return [inetTable(input), bridgeTable(input)];
}

/** `table` with these sources instead of the ones that it has; the same one when they are the same. */
export function withSources(table: RulesetItem, networks: RulesetInput['networks']): RulesetItem {
  const changed = networks.flatMap(({ network, sources }) => {
    const name = sourceSet(network);
    const set = table.sets.get(name);
    return set === undefined || set.elements === sources ? [] : [[name, { ...set, elements: sources }] as const];
  });
  return changed.length === 0 ? table : { ...table, sets: new Map([...table.sets, ...changed]) };
}

type Sets = Map<string, { declaration: string; elements: ReadonlySet<string> }>;

function inetTable({ networks, openTo, segments, routes }: RulesetInput): RulesetItem {
  const bridges = networks.map(({ network }) => quote(network.devices.bridge));
  const segmentNics = segments.map(({ device }) => quote(device));
  const sets: Sets = new Map();
  sets.set('bridges', { declaration: 'type ifname', elements: new Set(bridges) });
  sets.set('within', {
    declaration: 'type ifname . ifname',
    // A segment may be a bridge, too: the administrator's.
    elements: new Set([...bridges, ...segmentNics].map((name) => `${name} . ${name}`)),
  });
  for (const { network, sources } of networks) {
    // Single addresses, never intervals: the kernel looks into a set of intervals in vain for a moment after the table
    // was written anew (one packet lost in thirty times, Linux 6.18).
    sets.set(sourceSet(network), { declaration: 'type ipv4_addr', elements: sources });
  }
  sets.set('segments', { declaration: 'type ifname', elements: new Set(segmentNics) });

  return {
    kind: 'ruleset',
    family: 'inet',
    intact: true,
    sets,
    body: [
      ...networks.map(homeChain),
      // Linux takes a packet for any of its addresses from any link; ours are for their own link, and a network sees no other.
      '  chain strict-host {\n    type filter hook input priority raw; policy accept;\n',
      `    iifname != "lo" ip6 daddr & ${PREFIX_MASK} vmap { ${networks.map(homeVerdict).join(', ')} }\n`,
      '    iifname @bridges fib daddr type local fib daddr . iif type != local drop\n',
      '  }\n',
      ...networks.map(
        ({ network }) => `  chain ${sourceChain(network)} {\n    ip saddr != @${sourceSet(network)} drop\n  }\n`,
      ),
      '  chain known-sources {\n    type filter hook input priority raw; policy accept;\n',
      // The VNI is the 24 bits behind the UDP header (64 bits) and the VXLAN flags (32 bits), RFC 7348 §5.
      ...openTo.map((subnet) => `    udp dport ${VXLAN_PORT} ip saddr ${subnet} accept\n`),
      `    udp dport ${VXLAN_PORT} @th,96,24 vmap { ${networks.map(sourceVerdict).join(', ')} }\n`,
      '  }\n',
      '  chain isolation {\n    type filter hook forward priority filter; policy accept;\n',
      '    meta iifkind "bridge" iifname . oifname @within accept\n',
      '    iifname @bridges drop\n    oifname @bridges drop\n',
      `    iifname @segments oifname @segments udp dport ${VXLAN_PORT} accept\n`,
      `    iifname @segments ${routes ? 'oifname @segments ' : ''}drop\n`,
      '  }\n',
    ].join(''),
  };
}

/** TCP and IP headers without options: what a segment of `mtu` bytes loses. */
const HEADERS_IPV4 = 40;
const HEADERS_IPV6 = 60;

function bridgeTable({ networks, ...input }: RulesetInput): RulesetItem {
  // By name: ports are found in the order in which they came, and the same ports should be the same rules.
  const ports = input.ports.filter(({ link }) => isNameable(link)).toSorted((a, b) => (a.link < b.link ? -1 : 1));
  const plugged = ports.filter((port) => port.plugged).map(({ link }) => quote(link));
  const sets: Sets = new Map();
  sets.set('vxlans', {
    declaration: 'type ifname',
    elements: new Set(networks.map(({ network }) => quote(network.devices.vxlan))),
  });
  const byMtu = Map.groupBy(networks, ({ network }) => network.fabric.mtuBytes);
  for (const [mtuBytes, group] of byMtu) {
    sets.set(clampSet(mtuBytes), {
      declaration: 'type ifname',
      elements: new Set(group.map(({ network }) => quote(network.devices.vxlan))),
    });
  }
  sets.set('plugged', { declaration: 'type ifname', elements: new Set(plugged) });
  const host0s = networks.map(({ network }) => memberAddresses(network, 'host0').bridgeMac);
  sets.set('host0s', { declaration: 'type ether_addr', elements: new Set(host0s) });
  return {
    kind: 'ruleset',
    family: 'bridge',
    intact: true,
    sets,
    body: [
      '  chain from-guest {\n',
      // Before the bridge learns where host0 is: whoever passes for it may capture what passes this node.
      '    ether saddr @host0s drop\n',
      '    icmpv6 type nd-router-advert drop\n',
      // Servers speak from 67 and 547 to clients at 68 and 546 (RFC 2131 §4.1, RFC 8415 §7.2).
      '    udp sport . udp dport { 67 . 68, 547 . 546 } drop\n',
      '  }\n',
      '  chain guests {\n    type filter hook prerouting priority filter; policy accept;\n',
      '    iifname @plugged jump from-guest\n',
      '  }\n',
      `  chain floods {\n${ports.map(floodLimit).join('')}  }\n`,
      `  chain handshakes {\n${[...byMtu.keys()].flatMap(clamps).join('')}  }\n`,
      '  chain forwarded {\n    type filter hook forward priority filter; policy accept;\n',
      // What few frames are is asked first: all that a guest sends and gets comes by here, and names are slow to look up.
      '    ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00 oifname @vxlans jump floods\n',
      '    tcp flags & (syn | rst) == syn jump handshakes\n',
      '  }\n',
    ].join(''),
  };
}

/**
 * Broadcast and multicast frames that one port may send to the other nodes. Each is copied to every member, so a storm
 * of 64-byte frames at 1 Gbit/s, 1.5 million a second, would fill the underlay even of a small mesh. A guest that looks
 * for a whole /24 at once sends 254; a thousand a second leave room for that, and are 0.7 Gbit/s of small frames in a
 * mesh of 1000. Unknown unicast is not counted: a bridge learns its answer.
 */
const FLOODS_PER_SEC = 1000;

/** A bucket for each port: a storm behind one leaves the others theirs. */
function floodLimit({ link }: RulesetInput['ports'][number]): string {
  return `    iifname ${quote(link)} limit rate over ${FLOODS_PER_SEC}/second burst ${FLOODS_PER_SEC} packets drop\n`;
}

/**
 * A guest at MTU 1500 on a mesh of 1380: the bridge drops what does not fit without a word, so no answer to its TCP SYN
 * may promise more than fits (both directions pass here).
 */
function clamps(mtuBytes: number): string[] {
  const largest = [
    ['ip', mtuBytes - HEADERS_IPV4],
    ['ip6', mtuBytes - HEADERS_IPV6],
  ] as const;
  return ['iifname', 'oifname'].flatMap((direction) =>
    largest.map(
      ([type, mss]) =>
        `    ${direction} @${clampSet(mtuBytes)} ether type ${type} tcp option maxseg size > ${mss} tcp option maxseg size set ${mss}\n`,
    ),
  );
}

function clampSet(mtuBytes: number): string {
  return `vxlans_${mtuBytes}`;
}

/** The first 64 bits of an address: each mesh's prefix has as many. */
const PREFIX_MASK = 'ffff:ffff:ffff:ffff::';

function homeVerdict({ network }: RulesetInput['networks'][number]): string {
  return `${network.fabric.prefix.replace('/64', '')} : jump home-${network.fabric.vni}`;
}

/** A network's addresses are for its own bridge; what comes there for them needs no look at the routes. */
function homeChain({ network }: RulesetInput['networks'][number]): string {
  const bridge = quote(network.devices.bridge);
  return `  chain home-${network.fabric.vni} {\n    iifname != ${bridge} drop\n    accept\n  }\n`;
}

/** One look-up finds the chain of a network, however many there are. */
function sourceVerdict({ network }: RulesetInput['networks'][number]): string {
  return `${network.fabric.vni} : jump ${sourceChain(network)}`;
}

function sourceChain(network: Network): string {
  return `from-${network.fabric.vni}`;
}

function sourceSet(network: Network): string {
  return `sources_${network.fabric.vni}`;
}

/** Quotes keep nft from reading a name as a keyword; no name that comes here holds one itself. */
function quote(name: string): string {
  return `"${name}"`;
}
