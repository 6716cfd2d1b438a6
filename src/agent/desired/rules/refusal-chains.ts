/**
 * The chains and sets of the table `bridge meshwork` that all networks share: how a frame is refused and counted, and what
 * frames of guests are refused in every network.
 */
import { OFFENDERS_SET, REFUSAL_MARKS, REFUSED_SET, type RefusalKind } from '../../items/refusal.ts';
import type { ChainShare, FilledSet, TableShare } from './contribution.ts';

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
export const FLOODS = 'limit rate over 1000/second burst 1000 packets';

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
 * Count refused frames, and hold the sets of all networks that frames fill. When a set is full, its rule does
 * nothing: refused frames are dropped all the same, known senders go on, and a new one is limited like all new ones.
 */
export const REFUSALS: Pick<TableShare, 'filled' | 'chains'> = {
  filled: [
    dynamicSet(REFUSED_SET, 'ifname . mark', '10m'),
    dynamicSet(OFFENDERS_SET, 'ifname . mark . ether_addr', '10m', OFFENDERS_MAX),
    dynamicSet('senders', 'ifname . ether_addr', '5m'),
    dynamicSet('new_senders', 'ifname', '10m'),
    dynamicSet('neighbours_ip6', 'ifname . ipv6_addr', '1m'),
    dynamicSet('neighbours_ip', 'ifname . ipv4_addr', '1m'),
    dynamicSet('new_neighbours', 'ifname', '10m'),
    dynamicSet('floods', 'ifname', '10m'),
  ],
  chains: [
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
  ],
};

/** A chain with these rules. */
export function chain(name: string, rules: readonly string[]): ChainShare {
  return { name, rules };
}

/** A set that frames fill, whose elements are forgotten after a time. */
export function dynamicSet(name: string, type: string, timeout: string, size = ELEMENTS_MAX): FilledSet {
  return { name, declaration: `type ${type}; size ${size}; flags dynamic,timeout; timeout ${timeout};` };
}
