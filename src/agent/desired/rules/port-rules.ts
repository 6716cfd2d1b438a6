/**
 * What a network adds to the table `bridge meshwork` for the frames that enter it: by its VXLAN, or by a port of this node's
 * bridge. No port may send as a member; the chain `direct-NUMBER` is for every port, `plugged-NUMBER` for those of guests.
 * They run in prerouting, before the bridge learns the sender.
 */
import { type Ipv6, ipv6ToBytes } from '../../../model/address/ipv6.ts';
import type { NodeAddresses } from '../../../model/network/node-addresses.ts';
import { isNftName, nftName } from '../../items/nft-text.ts';
import { REFUSAL_MARKS } from '../../items/refusal.ts';
import type { DesiredInput } from '../assignment.ts';
import type { BridgedNetwork } from '../bridged-network.ts';
import { ARRIVALS_SET, ENTRANCES_MAP, GUESTS_PLACE } from './bridge-table.ts';
import type { ChainShare, FilledSet, RuleContribution } from './contribution.ts';
import { guardedChain, guestGuard, isGuarded } from './guest-guard.ts';
import { chain, dynamicSet, refuse } from './refusal-chains.ts';

/**
 * New Ethernet addresses of one port: 1,024 at once, for an office network behind one port, which is all new when the table
 * is written whole; then four a second. An address is forgotten after five minutes like an FDB entry, so a port has at
 * most 1,024 + 4 × 300 = 2,224 of them: a sixth of what a bridge learns (LEARNED_MAX).
 */
const NEW_SOURCES = 'limit rate over 4/second burst 1024 packets';
/**
 * How long a flow of TCP is remembered. Its next frame then takes the long way again, which also tells that its sender is
 * still there: so this is far less than the five minutes after which a sender is forgotten.
 */
const FLOW_TIMEOUT = '10s';
/** The flows of all ports: half a megabyte each set. Frames of further ones take the long way, as all others do. */
const FLOWS_MAX = 4_096;

/**
 * The sets of TCP flows that enter by ports, by network protocol. `isTcp` asks for the protocol number, in an IPv6 header without
 * extensions. The key has all that the rules judge of such a frame: by which interface it enters, its Ethernet header (and so that it
 * has no tag), and its source address: handshakes change where they leave a VXLAN, and not here. An index of an interface is a quarter of its name, and is not given twice in ten seconds.
 */
const FLOWS = [
  { type: 'ip6', set: 'flows_ip6', isTcp: '@nh,48,8 6', key: 'iif . @ll,0,112 . @nh,64,128' },
  { type: 'ip', set: 'flows_ip', isTcp: '@nh,72,8 6', key: 'iif . @ll,0,112 . @nh,96,32' },
] as const;

/** The sets that remember which frames have passed the rules. They are emptied whenever the rules may judge otherwise. */
const FLOW_SETS: readonly FilledSet[] = FLOWS.map(({ set, key }) => ({
  name: set,
  declaration: `typeof ${key}; size ${FLOWS_MAX}; flags dynamic,timeout; timeout ${FLOW_TIMEOUT};`,
  remembers: true,
}));

/** Lets the frames of known flows through, before all other rules. */
const KNOWN_FLOWS: readonly string[] = FLOWS.map(({ set, isTcp, key }) => `${isTcp} ${key} @${set} accept`);

/** Remembers the flow of a frame that has passed. */
function rememberFlow(then: string): string[] {
  return FLOWS.map(({ type, set, isTcp, key }) => `ether type ${type} ${isTcp} add @${set} { ${key} }${then}`);
}

/**
 * The contribution of a network. Without a port on this node the network needs no chains: frames enter it by the VXLAN
 * alone. With chains for each, a table for 500 networks took nft five seconds instead of ten milliseconds.
 * @param device name of the network's VXLAN device; undefined for a network without one
 * @param ports the network's ports on this node. One whose name nft cannot hold has no rule; such a port is never plugged
 */
export function portRules(
  network: BridgedNetwork,
  own: NodeAddresses,
  device: string | undefined,
  ports: DesiredInput['ports'],
): RuleContribution {
  const { number } = network;
  const hasPorts = ports.length > 0;
  const entrances = [
    ...(device === undefined
      ? []
      : [`${nftName(device)} : ${hasPorts ? `goto ${chainOf('mesh', number)}` : 'accept'}`]),
    ...ports.flatMap((port) =>
      isNftName(port.link) ? [`${nftName(port.link)} : goto ${chainOf(entranceOf(port), number)}`] : [],
    ),
  ];
  const kept = ports.filter(isGuarded).filter(({ link }) => isNftName(link));
  const guard = kept.length === 0 ? { sets: [], filled: [], chains: [] } : guestGuard(kept);
  const entrance = { ...ENTRANCES_MAP, elements: entrances };
  if (!hasPorts) return { number, what: 'ports', bridge: { sets: [entrance] } };
  return {
    number,
    what: 'ports',
    bridge: {
      sets: [
        entrance,
        { ...ARRIVALS_SET, elements: device === undefined ? [] : [`${nftName(device)} . ${own.bridgeMac}`] },
        { name: macSet(number), declaration: 'type ether_addr', elements: [], kind: 'late' },
        { name: addressSet(number), declaration: 'typeof @th,64,128', elements: [], kind: 'late' },
        ...guard.sets,
      ],
      // The Ethernet addresses that the bridge knows, as it does: a frame to another one goes to all members.
      filled: [...FLOW_SETS, dynamicSet(`known_${number}`, 'ether_addr', '5m'), ...guard.filled],
      chains: [
        chain(GUESTS_PLACE, KNOWN_FLOWS),
        ...portChains(network, own),
        ...guard.chains,
        ...(kept.length === 0
          ? []
          : [guardedChain(chainOf('guarded', number), network.mtuBytes, chainOf('plugged', number))]),
      ],
    },
  };
}

/** The contribution of ports of other programs' bridges, where members' frames may be at home. */
export function elsewhereRules(links: readonly string[]): RuleContribution {
  const elements = links.filter(isNftName).map((link) => `${nftName(link)} : accept`);
  return { number: 0, what: 'elsewhere', bridge: { sets: [{ ...ENTRANCES_MAP, elements }] } };
}

/** Bytes of the TCP and IP headers without options: the MTU less these is the maximum segment size. */
const HEADERS_IPV4 = 40;
const HEADERS_IPV6 = 60;

/**
 * Lowers the maximum segment size in TCP handshakes that come out of a VXLAN. A guest may have an MTU of 1500 on a mesh of
 * 1380: the bridge drops frames that are too large, and sends no ICMP error. Each handshake crosses the VXLAN once in each
 * direction, so this reaches both ends. Networks of one MTU share the chain.
 */
function handshakes(mtuBytes: number): ChainShare {
  const largest = [
    ['ip', mtuBytes - HEADERS_IPV4],
    ['ip6', mtuBytes - HEADERS_IPV6],
  ] as const;
  return chain(handshakesChain(mtuBytes), [
    'tcp flags & (syn | rst) != syn return',
    ...largest.map(
      ([type, mss]) => `ether type ${type} tcp option maxseg size > ${mss} tcp option maxseg size set ${mss}`,
    ),
  ]);
}

/** The chains of one network, for its VXLAN and for its two kinds of ports. */
function portChains({ number: vni, mtuBytes }: BridgedNetwork, own: NodeAddresses): ChainShare[] {
  return [
    handshakes(mtuBytes),
    chain(chainOf('mesh', vni), [`jump ${handshakesChain(mtuBytes)}`, `update @known_${vni} { ether saddr }`]),
    // All frames of ports pass here. What ends the way of most frames comes first, and each question is asked once.
    chain(chainOf('direct', vni), [
      `ether saddr @${macSet(vni)} ${refuse('member-mac')}`,
      `iifname . ether saddr != @senders jump new-sender-${vni}`,
      `numgen inc mod 16 0 jump sender-${vni}`,
      // `meta protocol` is what follows the first tag: Linux takes a frame with a tag of VLAN 0 like one without.
      `meta protocol ip6 goto ip6-${vni}`,
      // Nor does it stop at a second tag behind one of VLAN 0, which hides all headers from the rules.
      `meta protocol 8021q @ll,116,12 0 ${refuse('tagged')}`,
      `meta protocol 8021ad @ll,116,12 0 ${refuse('tagged')}`,
      `goto destination-${vni}`,
    ]),
    chain(`ip6-${vni}`, [
      // The source address is 8 bytes after the begin of an IPv6 header.
      `@nh,64,128 @${addressSet(vni)} ${refuse('member-address')}`,
      `meta l4proto icmpv6 jump solicited-${vni}`,
      `goto destination-${vni}`,
    ]),
    chain(`solicited-${vni}`, [
      // A neighbour advertisement has type 136, and its target 8 bytes after its begin (RFC 4861 §4.4).
      `@th,0,8 136 @th,64,128 @${addressSet(vni)} ${refuse('member-address')}`,
      `ether daddr ${solicitedMac(own.linkLocal)} jump neighbour`,
    ]),
    chain(`destination-${vni}`, [
      `ether daddr @known_${vni} goto settled-${vni}`,
      `ether daddr ${own.bridgeMac} goto neighbour`,
      `@ll,7,1 0 ether daddr != @${macSet(vni)} goto unknown-destination`,
    ]),
    chain(`settled-${vni}`, rememberFlow(` jump sender-${vni}`)),
    chain(chainOf('plugged', vni), [`jump ${chainOf('direct', vni)}`, 'goto guest']),
    chain(`new-sender-${vni}`, [
      `update @new_senders { iifname ${NEW_SOURCES} } meta mark set ${REFUSAL_MARKS['new-source']} goto refuse-made-up`,
      `goto sender-${vni}`,
    ]),
    chain(`sender-${vni}`, ['update @senders { iifname . ether saddr }', `update @known_${vni} { ether saddr }`]),
  ];
}

/** What enters by an interface: the VXLAN of a mesh, a port, a plugged port, or the port of a guest that is kept to its addresses. */
type Entrance = 'mesh' | 'direct' | 'plugged' | 'guarded';

/** A router may send what an interface may that was put on the bridge by hand. */
function entranceOf(port: DesiredInput['ports'][number]): Entrance {
  if (isGuarded(port)) return 'guarded';
  return port.plugged && port.guest?.trusted !== true ? 'plugged' : 'direct';
}

/** The chain for the frames that enter a network in one way. */
function chainOf(entrance: Entrance, vni: number): string {
  return `${entrance}-${vni}`;
}

/** Name of the chain that lowers the maximum segment size of the TCP handshakes that come from networks of one MTU. */
function handshakesChain(mtuBytes: number): string {
  return `handshakes-${mtuBytes}`;
}

/** Name of the set with the Ethernet addresses of a network's members. */
export function macSet(vni: number): string {
  return `members_${vni}`;
}

/** Name of the set with the IPv6 addresses of a network's members. */
export function addressSet(vni: number): string {
  return `addresses_${vni}`;
}

/** The multicast Ethernet address to which this node's neighbours send solicitations for an address (RFC 2464 §7). */
function solicitedMac(address: Ipv6): string {
  return `33:33:ff:${[...ipv6ToBytes(address).slice(-3)].map((byte) => byte.toString(16).padStart(2, '0')).join(':')}`;
}
