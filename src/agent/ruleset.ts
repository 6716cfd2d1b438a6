/**
 * The nft tables of a node, from its networks. `inet meshwork` keeps networks apart from each other and from the
 * underlay; `bridge meshwork` makes large guests' TCP fit. Every rule is right with bridge-nf-call-* on and off: with it
 * on, bridged frames pass the inet hooks too, with the bridge as both input and output interface.
 */
import type { Ipv4, Ipv4Cidr } from '../model/ipv4.ts';
import { type Network, VXLAN_PORT } from '../model/network.ts';
import type { Segment } from '../protocol/assignment.ts';
import type { RulesetItem } from './items/ruleset.ts';

export interface RulesetInput {
  readonly networks: readonly {
    readonly network: Network;
    /** Where VXLAN packets of this network may come from. */
    readonly sources: readonly Ipv4[];
  }[];
  /** Where VXLAN packets of any network may come from: host0's subnets, where anybody may ask to join. */
  readonly openTo: readonly Ipv4Cidr[];
  /** host0's segments; forwarding between them carries VXLAN and nothing else. */
  readonly segments: readonly Segment[];
}

/** The tables that should be there: none on a node without a network. */
export function rulesets(input: RulesetInput): RulesetItem[] {
  if (input.networks.length === 0) return [];
  return [inetTable(input), bridgeTable(input)];
}

type Sets = Map<string, { declaration: string; elements: ReadonlySet<string> }>;

function inetTable({ networks, openTo, segments }: RulesetInput): RulesetItem {
  const bridges = networks.map(({ network }) => quote(network.devices.bridge));
  const sets: Sets = new Map();
  sets.set('bridges', { declaration: 'type ifname', elements: new Set(bridges) });
  sets.set('within', {
    declaration: 'type ifname . ifname',
    elements: new Set(bridges.map((name) => `${name} . ${name}`)),
  });
  for (const { network, sources } of networks) {
    // Single addresses, never intervals: the kernel looks into a set of intervals in vain for a moment after the table
    // was written anew (one packet lost in thirty times, Linux 6.18).
    sets.set(sourceSet(network), { declaration: 'type ipv4_addr', elements: new Set(sources) });
  }
  const segmentPorts = segments.map(({ device }) => quote(device));
  sets.set('segments', { declaration: 'type ifname', elements: new Set(segmentPorts) });

  const strict = networks.map(
    ({ network }) =>
      `    iifname != { "lo", ${quote(network.devices.bridge)} } ip6 daddr ${network.fabric.prefix} drop\n`,
  );
  // The VNI is the 24 bits behind the UDP header (64 bits) and the VXLAN flags (32 bits), RFC 7348 §5.
  const open = openTo.map((subnet) => `    udp dport ${VXLAN_PORT} ip saddr ${subnet} accept\n`);
  const known = networks.map(
    ({ network }) =>
      `    udp dport ${VXLAN_PORT} @th,96,24 ${network.fabric.vni} ip saddr != @${sourceSet(network)} drop\n`,
  );
  return {
    kind: 'ruleset',
    family: 'inet',
    intact: true,
    sets,
    body: [
      '  chain strict-host {\n    type filter hook prerouting priority raw; policy accept;\n',
      ...strict,
      '  }\n',
      '  chain known-sources {\n    type filter hook input priority raw; policy accept;\n',
      ...open,
      ...known,
      '  }\n',
      '  chain isolation {\n    type filter hook forward priority filter; policy accept;\n',
      '    iifname . oifname @within accept\n',
      '    iifname @bridges drop\n    oifname @bridges drop\n',
      `    iifname @segments oifname @segments udp dport ${VXLAN_PORT} accept\n`,
      '    iifname @segments oifname @segments drop\n',
      '  }\n',
    ].join(''),
  };
}

/** TCP and IP headers without options: what a segment of `mtu` bytes loses. */
const HEADERS_IPV4 = 40;
const HEADERS_IPV6 = 60;

/**
 * A guest at MTU 1500 on a mesh of 1380: the bridge drops what does not fit without a word, so no answer to its TCP SYN
 * may promise more than fits (both directions pass here).
 */
function bridgeTable({ networks }: RulesetInput): RulesetItem {
  const clamps = networks.flatMap(({ network }) => {
    const device = quote(network.devices.vxlan);
    const mss4 = network.fabric.mtuBytes - HEADERS_IPV4;
    const mss6 = network.fabric.mtuBytes - HEADERS_IPV6;
    return ['iifname', 'oifname'].flatMap((direction) =>
      (
        [
          ['ip', mss4],
          ['ip6', mss6],
        ] as const
      ).map(
        ([type, mss]) =>
          `    ${direction} ${device} ether type ${type} tcp flags & (syn | rst) == syn tcp option maxseg size > ${mss} tcp option maxseg size set ${mss}\n`,
      ),
    );
  });
  return {
    kind: 'ruleset',
    family: 'bridge',
    intact: true,
    sets: new Map(),
    body: `  chain clamp {\n    type filter hook forward priority filter; policy accept;\n${clamps.join('')}  }\n`,
  };
}

function sourceSet(network: Network): string {
  return `sources_${network.fabric.vni}`;
}

/** Device names come from our own model and are plain; quotes keep nft from reading one as a keyword. */
function quote(name: string): string {
  return `"${name}"`;
}
