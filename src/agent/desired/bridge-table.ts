/**
 * The table `bridge meshwork`, which keeps guests in their place (port-guard.ts), and makes their TCP segments fit into the
 * mesh.
 */
import { memberAddresses } from '../../model/network/member.ts';
import { isMesh } from '../../model/network/mesh.ts';
import { isNftName, nftName } from '../items/nft-text.ts';
import { type RulesetItem, type RulesetSets, sized } from '../items/ruleset.ts';
import {
  addressSet,
  chainOf,
  FLOW_SETS,
  guardRules,
  handshakesChain,
  KNOWN_FLOWS,
  macSet,
  refusalRules,
  refuse,
  TO_GROUP,
} from './port-guard.ts';
import { type RulesetInput, withVxlan } from './ruleset-input.ts';

/** Bytes of the TCP and IP headers without options: the MTU less these is the maximum segment size. */
const HEADERS_IPV4 = 40;
const HEADERS_IPV6 = 60;

const NO_ELEMENTS: ReadonlySet<string> = new Set();

/** The table `bridge meshwork`, without the members' addresses: these come and go (`withElements`). */
export function bridgeTable({ networks, ...input }: RulesetInput): RulesetItem {
  const sets: RulesetSets = new Map();
  const vxlans = withVxlan(networks).map(({ vxlan }) => nftName(vxlan.device));
  sets.set('vxlans', sized('type ifname', vxlans));
  const meshes = networks.map(({ network }) => network).filter(isMesh);
  const host0s = meshes.map((mesh) => memberAddresses(mesh, 'host0').bridgeMac);
  sets.set('host0s', sized('type ether_addr', host0s));
  const guarded = withPorts({ networks, ...input });
  for (const { network } of guarded) {
    const { number } = network;
    sets.set(macSet(number), { declaration: 'type ether_addr', elements: NO_ELEMENTS, late: true });
    sets.set(addressSet(number), { declaration: 'typeof @th,64,128', elements: NO_ELEMENTS, late: true });
  }
  sets.set('entrances', sized('type ifname : verdict', entrances({ networks, ...input }, guarded)));
  const mtus = new Set(guarded.map(({ network }) => network.mtuBytes));
  return {
    kind: 'ruleset',
    family: 'bridge',
    intact: true,
    sets,
    remembering: FLOW_SETS,
    body: [
      refusalRules(),
      ...Array.from(mtus, handshakes),
      ...guarded.map(({ network, own }) => guardRules(network, own)),
      '  chain guests {\n    type filter hook prerouting priority filter; policy accept;\n',
      ...(guarded.length === 0 ? [] : KNOWN_FLOWS.map((rule) => `    ${rule}\n`)),
      // The way of these frames ends in their chain.
      '    iifname vmap @entrances\n',
      // An interface may have been put on a bridge of ours a moment ago: host0, which may capture the traffic of this node,
      // never enters by it.
      // While the table is replaced, a frame in the old chain finds no element of a map any more, but still those of sets.
      `    iifname != @vxlans ether saddr @host0s ${refuse('member-mac')}\n`,
      '  }\n',
      // All frames of guests pass here: the first question is one of the three that the kernel answers fastest.
      '  chain forwarded {\n    type filter hook forward priority filter; policy accept;\n',
      `    ${TO_GROUP} oifname @vxlans goto flood\n  }\n`,
    ].join(''),
  };
}

/**
 * The networks that have a port on this node. The others need no rules: frames enter them by the VXLAN alone. With rules for
 * each, a table for 500 networks took nft five seconds instead of ten milliseconds.
 */
function withPorts({ networks, ports }: RulesetInput): RulesetInput['networks'] {
  const ids = new Set(ports.map(({ network }) => network));
  return networks.filter(({ network }) => ids.has(network.id));
}

/** By which interface a frame enters which network: one look-up finds the chain of any port. */
function entrances({ networks, ports, elsewhere }: RulesetInput, guarded: RulesetInput['networks']): string[] {
  const numbers = new Map(guarded.map(({ network }) => [network.id, network.number]));
  return [
    ...withVxlan(networks).map(({ network: { id, number }, vxlan }) => {
      return `${nftName(vxlan.device)} : ${numbers.has(id) ? `goto ${chainOf('mesh', number)}` : 'accept'}`;
    }),
    ...ports.flatMap(({ link, network, plugged }) => {
      const number = numbers.get(network);
      if (number === undefined || !isNftName(link)) return [];
      return [`${nftName(link)} : goto ${chainOf(plugged ? 'plugged' : 'direct', number)}`];
    }),
    // These ports are on bridges of others, where members' frames may be at home.
    ...elsewhere.filter(isNftName).map((link) => `${nftName(link)} : accept`),
  ];
}

/**
 * Lowers the maximum segment size in TCP handshakes that come out of a VXLAN. A guest may have an MTU of 1500 on a mesh of
 * 1380: the bridge drops frames that are too large, and sends no ICMP error. Each handshake crosses the VXLAN once in each
 * direction, so this reaches both ends.
 */
function handshakes(mtuBytes: number): string {
  const largest = [
    ['ip', mtuBytes - HEADERS_IPV4],
    ['ip6', mtuBytes - HEADERS_IPV6],
  ] as const;
  const rules = largest.map(
    ([type, mss]) => `    ether type ${type} tcp option maxseg size > ${mss} tcp option maxseg size set ${mss}\n`,
  );
  return `  chain ${handshakesChain(mtuBytes)} {\n    tcp flags & (syn | rst) != syn return\n${rules.join('')}  }\n`;
}
