/**
 * The nft tables of a node, derived from its networks. `inet meshwork` separates networks from each other and from the
 * underlay. `bridge meshwork` makes guests' TCP segments fit into the mesh, and blocks router and DHCP server messages
 * from guests. All rules work with bridge-nf-call-* on and off. When it is on, bridged frames also pass the inet hooks,
 * with the bridge as both input and output interface; the `input` hook still sees packets to this host only.
 */
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import { memberAddresses } from '../../model/network/member.ts';
import { type Network, VXLAN_PORT } from '../../model/network/network.ts';
import type { Segment } from '../../protocol/documents/assignment.ts';
import type { RulesetItem } from '../items/ruleset.ts';

/** All that the tables depend on. */
export interface RulesetInput {
  readonly networks: readonly {
    readonly network: Network;
    /** Underlay addresses from which VXLAN packets of this network are accepted. */
    readonly sources: ReadonlySet<Ipv4>;
  }[];
  /** Subnets from which VXLAN packets of any network are accepted: host0's, where any machine may ask to join. */
  readonly openTo: readonly Ipv4Cidr[];
  /** host0's segments. Only VXLAN is forwarded between them. */
  readonly segments: readonly Segment[];
  /** The administrator has enabled IP forwarding: traffic from a segment to other links is left alone. */
  readonly routes: boolean;
  /**
   * Foreign interfaces on our bridges. A port whose name nft cannot hold has no rule; such a port is never a plugged
   * one.
   */
  readonly ports: readonly {
    /** Name of the interface. */
    readonly link: string;
    /** An administrator plugged the port in with `mesh port plug`. It belongs to a guest, which is not trusted. */
    readonly plugged: boolean;
  }[];
}

/** Whether rules can name this interface: nft cannot escape a quote, and reads a final `*` as a pattern. */
export function isNameable(link: string): boolean {
  return /^[\w.@+-]+$/.test(link);
}

/** The desired tables: `inet` and `bridge`; none on a node without a network. */
export function rulesets(input: RulesetInput): RulesetItem[] {
  if (input.networks.length === 0) return [];
  return [inetTable(input), bridgeTable(input)];
}

/** `table` with the sources of `networks`; the same object when it has these sources already. */
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
    // A segment may be on a bridge of the administrator.
    elements: new Set([...bridges, ...segmentNics].map((name) => `${name} . ${name}`)),
  });
  for (const { network, sources } of networks) {
    // Single addresses, never intervals: after the table is replaced, a set of intervals matches nothing for a moment (one
    // packet was lost in thirty replacements, Linux 6.18).
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
      // Linux accepts a packet for any of its addresses on any link. Here a network's addresses are reached over its own
      // bridge only, and from a network no other address of this host is reached.
      '  chain strict-host {\n    type filter hook input priority raw; policy accept;\n',
      `    iifname != "lo" ip6 daddr & ${PREFIX_MASK} vmap { ${networks.map(homeVerdict).join(', ')} }\n`,
      '    iifname @bridges fib daddr type local fib daddr . iif type != local drop\n',
      '  }\n',
      ...networks.map(
        ({ network }) => `  chain ${sourceChain(network)} {\n    ip saddr != @${sourceSet(network)} drop\n  }\n`,
      ),
      '  chain known-sources {\n    type filter hook input priority raw; policy accept;\n',
      // The VNI is the 24 bits after the UDP header (64 bits) and the VXLAN flags (32 bits), RFC 7348 §5.
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

/** Bytes of the TCP and IP headers without options: the MTU less these is the maximum segment size. */
const HEADERS_IPV4 = 40;
const HEADERS_IPV6 = 60;

function bridgeTable({ networks, ...input }: RulesetInput): RulesetItem {
  // Sorted by name, so that the same ports give the same rules in whatever order they were found.
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
      // Prerouting comes before the bridge learns: a guest that sends with host0's address must not be taken for host0,
      // which may capture the traffic of this node.
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
      // Each rule first asks what is true for few frames: all frames of guests pass here, and name look-ups are slow.
      '    ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00 oifname @vxlans jump floods\n',
      '    tcp flags & (syn | rst) == syn jump handshakes\n',
      '  }\n',
    ].join(''),
  };
}

/**
 * Broadcast and multicast frames that one port may send to the other nodes. Each is copied to every member, so a storm
 * of 64-byte frames at 1 Gbit/s, 1.5 million a second, would fill the underlay even of a small mesh. A guest that scans
 * a whole /24 at once sends 254 frames. A thousand a second leave room for that, and are 0.7 Gbit/s of small frames in
 * a mesh of 1000. Unknown unicast is not counted: the bridge learns the address from the answer.
 */
const FLOODS_PER_SEC = 1000;

/** One limit for each port, so that a storm behind one port takes nothing from the others. */
function floodLimit({ link }: RulesetInput['ports'][number]): string {
  return `    iifname ${quote(link)} limit rate over ${FLOODS_PER_SEC}/second burst ${FLOODS_PER_SEC} packets drop\n`;
}

/**
 * Lowers the maximum segment size in TCP handshakes, in both directions. A guest may have an MTU of 1500 on a mesh of
 * 1380: the bridge drops frames that are too large, and sends no ICMP error.
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
  const bridge = quote(network.devices.bridge);
  return `  chain home-${network.fabric.vni} {\n    iifname != ${bridge} drop\n    accept\n  }\n`;
}

/** An element of the verdict map: one look-up finds the chain of a network among any number. */
function sourceVerdict({ network }: RulesetInput['networks'][number]): string {
  return `${network.fabric.vni} : jump ${sourceChain(network)}`;
}

function sourceChain(network: Network): string {
  return `from-${network.fabric.vni}`;
}

function sourceSet(network: Network): string {
  return `sources_${network.fabric.vni}`;
}

/** Puts a name in quotes, so that nft does not read it as a keyword. The names here hold no quote (`isNameable`). */
function quote(name: string): string {
  return `"${name}"`;
}
