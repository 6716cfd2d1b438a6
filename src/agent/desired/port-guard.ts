/**
 * The rules for frames that enter a mesh by a port of this node's bridge, and the sets that they need. No port may send as
 * a member; the chain `direct-VNI` is for every port, `plugged-VNI` for those of guests. They run in prerouting, before the
 * bridge learns the sender.
 */
import type { Ipv6 } from '../../model/address/ipv6.ts';
import { ipv6ToBytes } from '../../model/address/ipv6.ts';

import type { NodeAddresses } from '../../model/network/node-addresses.ts';
import { OFFENDERS_SET, REFUSAL_MARKS, REFUSED_SET, type RefusalKind } from '../items/refusal.ts';
import type { BridgedNetwork } from './bridged-network.ts';

/**
 * New Ethernet addresses of one port: 1,024 at once, for an office network behind one port, which is all new when the table
 * is written whole; then four a second. An address is forgotten after five minutes like an FDB entry, so a port has at
 * most 1,024 + 4 × 300 = 2,224 of them: a sixth of what a bridge learns (LEARNED_MAX).
 */
const NEW_SOURCES = 'limit rate over 4/second burst 1024 packets';
/**
 * New addresses of one port that write to this node itself. Each takes one of the 1,024 places of the kernel's neighbour
 * table, which is one for all namespaces of the machine. A minute holds at most 64 + 2 × 60 = 184 of one port.
 */
const NEW_NEIGHBOURS = 'limit rate over 2/second burst 64 packets';
/**
 * Broadcasts, multicasts and frames to unknown addresses that one port may send. Each is copied to every member, so a storm
 * of 64-byte frames at 1 Gbit/s, 1.5 million a second, would fill the underlay even of a small mesh. A guest that scans
 * a whole /24 at once sends 254 frames. A thousand a second leave room for that, and are 0.7 Gbit/s of small frames in
 * a mesh of 1000.
 */
const FLOODS = 'limit rate over 1000/second burst 1000 packets';

/**
 * How long a flow of TCP is remembered. Its next frame then takes the long way again, which also tells that its sender is
 * still there: so this is far less than the five minutes after which a sender is forgotten.
 */
const FLOW_TIMEOUT = '10s';
/** The flows of all ports: half a megabyte each set. Frames of further ones take the long way, as all others do. */
const FLOWS_MAX = 4_096;

/**
 * The sets of TCP flows, by network protocol. `isTcp` asks for the protocol number, in an IPv6 header without extensions.
 * The key has all that the rules judge of such a frame: by which interface it enters, its Ethernet header (and so that it
 * has no tag), its source address, and its TCP flags.
 */
const FLOWS = [
  { type: 'ip6', set: 'flows_ip6', isTcp: '@nh,48,8 6', key: 'iifname . @ll,0,112 . @nh,64,128 . @th,104,8' },
  { type: 'ip', set: 'flows_ip', isTcp: '@nh,72,8 6', key: 'iifname . @ll,0,112 . @nh,96,32 . @th,104,8' },
] as const;

/** The sets that remember which frames have passed the rules. They are emptied whenever the rules may judge otherwise. */
export const FLOW_SETS: readonly string[] = FLOWS.map(({ set }) => set);

/**
 * Lets the frames of known flows through, before all other rules. In a profile of a stream between guests, the rules took about
 * 10 % of the samples without this, and 5 % with it.
 */
export const KNOWN_FLOWS: readonly string[] = FLOWS.map(({ set, isTcp, key }) => `${isTcp} ${key} @${set} accept`);

/** Remembers the flow of a frame that has passed. A segment with SYN (bit 110) is none: its options may have to change. */
function rememberFlow(then = ''): string[] {
  return FLOWS.map(
    ({ type, set, isTcp, key }) => `ether type ${type} ${isTcp} @th,110,1 0 add @${set} { ${key} }${then}`,
  );
}

/** Elements of each set that frames fill. It bounds the kernel's memory to some megabytes. */
const ELEMENTS_MAX = 65_535;
/** Offenders are only for messages. */
const OFFENDERS_MAX = 1_024;

/** The verdict of a frame that is refused. */
export function refuse(kind: RefusalKind): string {
  return `meta mark set ${REFUSAL_MARKS[kind]} goto refuse`;
}

/** The limit of frames that are copied to all members, one for each port: a storm behind one takes nothing from others. */
const FLOOD_LIMIT = `update @floods { iifname ${FLOODS} }`;

/** Asks whether a frame is for a group: the first bit that is sent is 1. */
export const TO_GROUP = '@ll,7,1 1';

/**
 * The chain that counts a refused frame, and the sets of all networks that frames fill. When a set is full, its rule does
 * nothing: refused frames are dropped all the same, known senders go on, and a new one is limited like all new ones.
 */
export function refusalRules(): string {
  return [
    dynamicSet(REFUSED_SET, 'ifname . mark', '10m'),
    dynamicSet(OFFENDERS_SET, 'ifname . mark . ether_addr', '10m', OFFENDERS_MAX),
    dynamicSet('senders', 'ifname . ether_addr', '5m'),
    dynamicSet('new_senders', 'ifname', '10m'),
    dynamicSet('neighbours_ip6', 'ifname . ipv6_addr', '1m'),
    dynamicSet('neighbours_ip', 'ifname . ipv4_addr', '1m'),
    dynamicSet('new_neighbours', 'ifname', '10m'),
    dynamicSet('floods', 'ifname', '10m'),
    ...FLOWS.map(
      ({ set, key }) =>
        `  set ${set} { typeof ${key}; size ${FLOWS_MAX}; flags dynamic,timeout; timeout ${FLOW_TIMEOUT}; }\n`,
    ),
    chain('refuse', [
      `update @${REFUSED_SET} { iifname . meta mark counter }`,
      `update @${OFFENDERS_SET} { iifname . meta mark . ether saddr }`,
      'drop',
    ]),
    // Made-up addresses say nothing about their sender, and would fill the set of offenders.
    chain('refuse-made-up', [`update @${REFUSED_SET} { iifname . meta mark counter }`, 'drop']),
    chain('neighbour', [
      'meta protocol ip6 iifname . ip6 saddr != @neighbours_ip6 jump new-neighbour',
      'meta protocol ip iifname . ip saddr != @neighbours_ip jump new-neighbour',
      'meta protocol arp iifname . arp saddr ip != @neighbours_ip jump new-neighbour',
    ]),
    chain('new-neighbour', [
      `update @new_neighbours { iifname ${NEW_NEIGHBOURS} } ${refuse('new-neighbour')}`,
      'meta protocol ip6 update @neighbours_ip6 { iifname . ip6 saddr }',
      'meta protocol ip update @neighbours_ip { iifname . ip saddr }',
      'meta protocol arp update @neighbours_ip { iifname . arp saddr ip }',
    ]),
    chain('flood', [`${FLOOD_LIMIT} ${refuse('broadcast')}`]),
    chain('unknown-destination', [`${FLOOD_LIMIT} ${refuse('unknown-destination')}`]),
    chain('guest', [
      'ether type ip6 goto guest-ip6',
      'ether type ip goto guest-ip',
      'ether type arp goto guest-arp',
      // 802.1ad is the outer tag of a stack; 0x9100 is what some cards and switches use for it.
      `ether type { 8021q, 8021ad, 0x9100 } ${refuse('tagged')}`,
      // Below 0x600 the field is a length (IEEE 802.3 §3.2.6): an LLC frame, as those of the spanning tree.
      `ether type < 0x600 ${refuse('link-protocol')}`,
      // Addresses for bridges (IEEE 802.1D table 7-10).
      `ether daddr & ff:ff:ff:ff:ff:f0 == 01:80:c2:00:00:00 ${refuse('link-protocol')}`,
    ]),
    chain('guest-ip6', [
      // TCP without extension headers: the next header is 6 bytes after the begin.
      '@nh,48,8 6 return',
      'exthdr frag exists jump guest-fragment',
      // A guest is no router. One that asks who listens (MLD) would become the bridge's querier, and could mute groups.
      `icmpv6 type { nd-router-advert, nd-redirect, mld-listener-query } ${refuse('router')}`,
      // To the port of clients, whatever port it comes from: clients do not look at the source port.
      `udp dport 546 ${refuse('dhcp-server')}`,
    ]),
    // The first fragment must show all headers (RFC 7112), and no ND message comes in fragments (RFC 6980): else an
    // advertisement passes the rules by (RFC 7113). Without the first, receivers throw the others away.
    chain('guest-fragment', [
      'frag frag-off != 0 return',
      'icmpv6 type < 133 return',
      'udp dport != 546 return',
      'meta l4proto != { icmpv6, udp } return',
      refuse('fragment'),
    ]),
    chain('guest-ip', [
      '@nh,72,8 6 return',
      `udp dport 68 ${refuse('dhcp-server')}`,
      `icmp type { redirect, router-advertisement } ${refuse('router')}`,
      // IGMP membership query (RFC 3376 §4.1).
      `ip protocol igmp @th,0,8 0x11 ${refuse('router')}`,
    ]),
    chain('guest-arp', ['arp operation request jump neighbour']),
  ].join('');
}

/** The chains of one network, for its VXLAN and for its two kinds of ports. */
export function guardRules({ number: vni, mtuBytes }: BridgedNetwork, own: NodeAddresses): string {
  return [
    // The Ethernet addresses that the bridge knows, as it does: a frame to another one goes to all members.
    dynamicSet(`known_${vni}`, 'ether_addr', '5m'),
    chain(chainOf('mesh', vni), [
      `jump ${handshakesChain(mtuBytes)}`,
      `update @known_${vni} { ether saddr }`,
      ...rememberFlow(),
    ]),
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
  ].join('');
}

/** What enters by an interface: the VXLAN of a mesh, a port, or a plugged port. */
type Entrance = 'mesh' | 'direct' | 'plugged';

/** The chain for the frames that enter a network in one way. */
export function chainOf(entrance: Entrance, vni: number): string {
  return `${entrance}-${vni}`;
}

/** Name of the chain that lowers the maximum segment size of the TCP handshakes that come from networks of one MTU. */
export function handshakesChain(mtuBytes: number): string {
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

/**
 * An IPv6 address as a number. nft 1.0 has no name for the target of a neighbour advertisement: it is compared as 128 bits,
 * in a set of numbers.
 */
export function addressNumber(address: Ipv6): string {
  return `0x${Buffer.from(ipv6ToBytes(address)).toString('hex').replace(/^0+/, '')}`;
}

/** The multicast Ethernet address to which this node's neighbours send solicitations for an address (RFC 2464 §7). */
function solicitedMac(address: Ipv6): string {
  return `33:33:ff:${[...ipv6ToBytes(address).slice(-3)].map((byte) => byte.toString(16).padStart(2, '0')).join(':')}`;
}

function chain(name: string, rules: readonly string[]): string {
  return `  chain ${name} {\n${rules.map((rule) => `    ${rule}\n`).join('')}  }\n`;
}

function dynamicSet(name: string, type: string, timeout: string, size = ELEMENTS_MAX): string {
  return `  set ${name} { type ${type}; size ${size}; flags dynamic,timeout; timeout ${timeout}; }\n`;
}
