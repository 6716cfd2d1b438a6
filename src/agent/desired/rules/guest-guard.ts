/**
 * What keeps the guest of a port in its place: it sends with its own Ethernet address and its own IP addresses alone, in the headers
 * of its frames and in the messages of ARP, neighbour discovery and DHCP. The chains are the same for all guests. A guest is some elements of
 * their sets, so a thousand guests cost a frame what one costs.
 */
import { isIpv6 } from '../../../kernel/ip.ts';
import { linkLocalOf } from '../../../kernel/sockets/neighbour-frame.ts';
import { nftName } from '../../items/nft-text.ts';
import { REFUSAL_MARKS, REFUSED_SET } from '../../items/refusal.ts';
import type { DesiredInput } from '../assignment.ts';
import type { ChainShare, SetShare, TableShare } from './contribution.ts';
import { addressNumber, macNumber } from './raw-number.ts';
import { chain, dynamicSet, FLOODS, refuse, TO_GROUP } from './refusal-chains.ts';

type Port = DesiredInput['ports'][number];
/** A port whose guest has to keep to its addresses. */
type GuardedPort = Port & { readonly guest: NonNullable<Port['guest']> };

/** Whether the guest of the port has to keep to its addresses. */
export function isGuarded(port: Port): port is GuardedPort {
  return port.guest !== undefined && !port.guest.trusted;
}

/** The chain of a network for the frames of such guests. It ends in the chain for plugged ports. */
export function guardedChain(name: string, mtuBytes: number, plugged: string): ChainShare {
  return chain(name, [
    'jump guarded',
    // The bridge drops a frame above the MTU where it leaves, and tells nobody. A segment of TCP may be one of many MTUs, which is cut up
    // later (GSO), as the kernel does not tell here.
    `meta length > ${mtuBytes} meta l4proto != tcp meta mark set ${REFUSAL_MARKS['too-large']} jump noted`,
    `goto ${plugged}`,
  ]);
}

/** The sets with the addresses of these guests, and the chains that look them up. */
export function guestGuard(ports: readonly GuardedPort[]): Required<Pick<TableShare, 'sets' | 'filled' | 'chains'>> {
  const all = ports.map(elementsOf);
  const set = (name: keyof GuestElements, declaration: string): SetShare => ({
    ...{ name, declaration, kind: 'sized' },
    elements: all.flatMap((elements) => elements[name]),
  });
  return {
    sets: [
      set('guest_macs', 'type ifname . ether_addr'),
      set('guest_ip', 'type ifname . ipv4_addr'),
      set('guest_ip6', 'type ifname . ipv6_addr'),
      // nft 1.0 has no names for the target and the options of a message of neighbour discovery.
      set('guest_targets', `typeof iifname . ${TARGET}`),
      set('guest_options', `typeof iifname . ${OPTION_MAC}`),
      set('guest_clients', `typeof iifname . ${CLIENT_MAC}`),
    ],
    filled: [dynamicSet('guest_floods', 'ifname', '10m'), dynamicSet('guest_requests', 'ifname', '10m')],
    chains: CHAINS,
  };
}

/** The target of a neighbour solicitation or advertisement, and its first option (RFC 4861 §4.3, §4.4). */
const TARGET = '@th,64,128';
const OPTION = '@th,192,16';
const OPTION_MAC = '@th,208,48';
/** A source or target link-layer address: the type of the option, and its length of 8 bytes. */
const SOURCE_OPTION = '0x0101';
const TARGET_OPTION = '0x0201';

/** The begin of a request of DHCP for an Ethernet address of six bytes, and this address (RFC 2131 §2). */
const REQUEST = '@th,64,24 0x010106';
const CLIENT_MAC = '@th,288,48';
/**
 * Requests for addresses of one guest. A guest that starts and restarts sends some in a minute. A client of DHCPv6 names itself as it
 * likes, and may take an address with each request: a block of 4,096 then lasts half an hour, and not some seconds.
 */
const REQUESTS = 'limit rate over 2/second burst 64 packets';

/** Messages of a host that has no IPv6 address yet. */
const WITHOUT_ADDRESS = '{ nd-router-solicit, mld-listener-report, mld-listener-done, mld2-listener-report }';

const CHAINS: readonly ChainShare[] = [
  chain('guarded', [
    `iifname . ether saddr != @guest_macs ${refuse('wrong-mac')}`,
    'ether type ip jump guarded-ip',
    'ether type ip6 jump guarded-ip6',
    'ether type arp jump guarded-arp',
    `ether type { 8021q, 8021ad, 0x9100 } ${refuse('tagged')}`,
    `ether type != { ip, ip6, arp } ${refuse('link-protocol')}`,
    `${TO_GROUP} update @guest_floods { iifname ${FLOODS} } ${refuse('broadcast')}`,
  ]),
  chain('guarded-ip', [
    'udp dport 67 jump guarded-request',
    'iifname . ip saddr @guest_ip return',
    // A host without an address asks for one, and says which groups it hears.
    'ip saddr 0.0.0.0 udp sport 68 udp dport 67 return',
    'ip saddr 0.0.0.0 ip protocol igmp return',
    refuse('wrong-address'),
  ]),
  // A server knows guests by this address alone: a guest could give back the address of another one, or take all there are. A request
  // that is cut into fragments before the address is refused as well.
  chain('guarded-request', [
    `${REQUEST} iifname . ${CLIENT_MAC} @guest_clients goto guarded-asking`,
    refuse('wrong-mac'),
  ]),
  chain('guarded-asking', [`update @guest_requests { iifname ${REQUESTS} } ${refuse('dhcp-flood')}`]),
  chain('guarded-arp', [
    `iifname . arp saddr ether != @guest_macs ${refuse('wrong-mac')}`,
    'iifname . arp saddr ip @guest_ip return',
    // An address probe (RFC 5227 §1.1).
    'arp operation request arp saddr ip 0.0.0.0 return',
    refuse('wrong-address'),
  ]),
  chain('guarded-ip6', [
    `ip6 saddr :: icmpv6 type ${WITHOUT_ADDRESS} return`,
    // A host asks whether an address is free before it takes the address. Asked for another one's, that one may give the address up.
    `ip6 saddr :: icmpv6 type nd-neighbor-solicit iifname . ${TARGET} @guest_targets return`,
    `iifname . ip6 saddr != @guest_ip6 ${refuse('wrong-address')}`,
    `icmpv6 type nd-neighbor-solicit ${OPTION} ${SOURCE_OPTION} iifname . ${OPTION_MAC} != @guest_options ${refuse('wrong-mac')}`,
    'icmpv6 type nd-neighbor-advert jump guarded-advert',
    'udp dport 547 jump guarded-asking',
  ]),
  chain('guarded-advert', [
    `iifname . ${TARGET} != @guest_targets ${refuse('wrong-address')}`,
    `${OPTION} ${TARGET_OPTION} iifname . ${OPTION_MAC} != @guest_options ${refuse('wrong-mac')}`,
  ]),
  // Counts a frame, and lets it go on.
  chain('noted', [`update @${REFUSED_SET} { iifname . meta mark counter }`, 'meta mark set 0']),
];

/** The elements of one guest, by the name of their set. */
interface GuestElements {
  readonly guest_macs: readonly string[];
  readonly guest_ip: readonly string[];
  readonly guest_ip6: readonly string[];
  readonly guest_targets: readonly string[];
  readonly guest_options: readonly string[];
  readonly guest_clients: readonly string[];
}

/** The elements of guests that were asked for. To write those of two hundred for each new one took a third of a pass. */
const KNOWN = new Map<string, GuestElements>();
/** More than a node has guests. Beyond, all are forgotten. */
const KNOWN_MAX = 4_096;

function elementsOf({ link, guest: { mac, addresses } }: GuardedPort): GuestElements {
  const key = [link, mac, ...addresses].join(' ');
  const known = KNOWN.get(key);
  if (known !== undefined) return known;
  const of = (values: readonly string[]) => values.map((value) => `${nftName(link)} . ${value}`);
  const addresses6 = [linkLocalOf(mac), ...addresses.filter(isIpv6)];
  const elements = {
    guest_macs: of([mac]),
    guest_ip: of(addresses.filter((address) => !isIpv6(address))),
    guest_ip6: of(addresses6),
    guest_targets: of(addresses6.map(addressNumber)),
    guest_options: of([macNumber(mac)]),
    guest_clients: of([macNumber(mac)]),
  };
  if (KNOWN.size >= KNOWN_MAX) KNOWN.clear();
  KNOWN.set(key, elements);
  return elements;
}
