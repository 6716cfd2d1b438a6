/**
 * The table `bridge meshwork`, which makes guests' TCP segments fit into the mesh, and blocks router and DHCP server
 * messages from guests.
 */
import { memberAddresses } from '../../model/network/member.ts';
import { isNftName, nftName } from '../items/nft-text.ts';
import type { RulesetItem, RulesetSets } from '../items/ruleset.ts';
import type { RulesetInput } from './ruleset-input.ts';

/** Bytes of the TCP and IP headers without options: the MTU less these is the maximum segment size. */
const HEADERS_IPV4 = 40;
const HEADERS_IPV6 = 60;

/** The table `bridge meshwork`. */
export function bridgeTable({ networks, ...input }: RulesetInput): RulesetItem {
  // Sorted by name, so that the same ports give the same rules in whatever order they were found.
  const ports = input.ports.filter(({ link }) => isNftName(link)).toSorted((a, b) => (a.link < b.link ? -1 : 1));
  const plugged = ports.filter((port) => port.plugged).map(({ link }) => nftName(link));
  const sets: RulesetSets = new Map();
  sets.set('vxlans', {
    declaration: 'type ifname',
    elements: new Set(networks.map(({ network }) => nftName(network.devices.vxlan))),
  });
  const byMtu = Map.groupBy(networks, ({ network }) => network.fabric.mtuBytes);
  for (const [mtuBytes, group] of byMtu) {
    sets.set(clampSet(mtuBytes), {
      declaration: 'type ifname',
      elements: new Set(group.map(({ network }) => nftName(network.devices.vxlan))),
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
  return `    iifname ${nftName(link)} limit rate over ${FLOODS_PER_SEC}/second burst ${FLOODS_PER_SEC} packets drop\n`;
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
