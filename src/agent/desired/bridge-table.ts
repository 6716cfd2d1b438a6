/**
 * The table `bridge meshwork`, which keeps guests in their place (port-guard.ts), and makes their TCP segments fit into the
 * mesh.
 */
import { memberAddresses } from '../../model/network/member.ts';
import { isNftName, nftName } from '../items/nft-text.ts';
import type { RulesetItem, RulesetSets } from '../items/ruleset.ts';
import { addressSet, chainOf, FLOOD_LIMIT, guardRules, macSet, refusalRules, refuse } from './port-guard.ts';
import type { RulesetInput } from './ruleset-input.ts';

/** Bytes of the TCP and IP headers without options: the MTU less these is the maximum segment size. */
const HEADERS_IPV4 = 40;
const HEADERS_IPV6 = 60;

const NO_ELEMENTS: ReadonlySet<string> = new Set();

/** The table `bridge meshwork`, without the members' addresses: these come and go (`withElements`). */
export function bridgeTable({ networks, ...input }: RulesetInput): RulesetItem {
  const sets: RulesetSets = new Map();
  const vxlans = networks.map(({ network }) => nftName(network.devices.vxlan));
  sets.set('vxlans', { declaration: 'type ifname', elements: new Set(vxlans) });
  const byMtu = Map.groupBy(networks, ({ network }) => network.fabric.mtuBytes);
  for (const [mtuBytes, group] of byMtu) {
    sets.set(clampSet(mtuBytes), {
      declaration: 'type ifname',
      elements: new Set(group.map(({ network }) => nftName(network.devices.vxlan))),
    });
  }
  const host0s = networks.map(({ network }) => memberAddresses(network, 'host0').bridgeMac);
  sets.set('host0s', { declaration: 'type ether_addr', elements: new Set(host0s) });
  const guarded = withPorts({ networks, ...input });
  for (const { network } of guarded) {
    const { vni } = network.fabric;
    sets.set(macSet(vni), { declaration: 'type ether_addr', elements: NO_ELEMENTS, late: true });
    sets.set(addressSet(vni), { declaration: 'typeof @th,64,128', elements: NO_ELEMENTS, late: true });
  }
  sets.set('entrances', { declaration: 'type ifname : verdict', elements: new Set(entrances(guarded, input)) });
  return {
    kind: 'ruleset',
    family: 'bridge',
    intact: true,
    sets,
    body: [
      refusalRules(),
      ...guarded.map(({ network, own }) => guardRules(network, own)),
      '  chain guests {\n    type filter hook prerouting priority filter; policy accept;\n',
      '    iifname vmap @entrances\n',
      // An interface may have been put on a bridge of ours a moment ago: host0, which may capture the traffic of this node,
      // never enters by it. The rule comes after the chain of each entrance, so it must not hold for the VXLAN.
      `    ether saddr @host0s iifname != @vxlans ${refuse('member-mac')}\n`,
      '  }\n',
      `  chain flood {\n    ${FLOOD_LIMIT} ${refuse('broadcast')}\n  }\n`,
      `  chain handshakes {\n${[...byMtu.keys()].flatMap(clamps).join('')}  }\n`,
      '  chain forwarded {\n    type filter hook forward priority filter; policy accept;\n',
      // Each rule first asks what is true for few frames: all frames of guests pass here, and name look-ups are slow.
      '    ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00 oifname @vxlans jump flood\n',
      '    tcp flags & (syn | rst) == syn jump handshakes\n',
      '  }\n',
    ].join(''),
  };
}

/**
 * The networks that have a port on this node. The others need no rules: frames enter them by the VXLAN alone. With rules for
 * each, a table for 500 networks took nft five seconds instead of ten milliseconds.
 */
function withPorts({ networks, ports }: RulesetInput): RulesetInput['networks'] {
  const ids = new Set(ports.filter(({ link }) => isNftName(link)).map(({ network }) => network));
  return networks.filter(({ network }) => ids.has(network.id));
}

/** By which interface a frame enters which network: one look-up finds the chain of any port. */
function entrances(
  networks: RulesetInput['networks'],
  { ports, elsewhere }: Pick<RulesetInput, 'ports' | 'elsewhere'>,
): string[] {
  const vnis = new Map(networks.map(({ network }) => [network.id, network.fabric.vni]));
  return [
    ...networks.map(({ network }) => `${nftName(network.devices.vxlan)} : goto ${chainOf('mesh', network.fabric.vni)}`),
    ...ports.flatMap(({ link, network, plugged }) => {
      const vni = vnis.get(network);
      if (vni === undefined || !isNftName(link)) return [];
      return [`${nftName(link)} : goto ${chainOf(plugged ? 'plugged' : 'direct', vni)}`];
    }),
    // These ports are on bridges of others, where members' frames may be at home.
    ...elsewhere.filter(isNftName).map((link) => `${nftName(link)} : accept`),
  ];
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
