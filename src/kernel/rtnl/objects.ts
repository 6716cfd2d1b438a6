/** Kernel objects as this program uses them, in dumps and in monitor events. */
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { Vni } from '../../model/network/types/vxlan.ts';
import type { LinkOptions } from './link-options.ts';

/** The value of a setting that the link does not have: without IPv6 (its MTU was below 1280), it has none of IPv6. */
export const NO_SETTING = -1;

/** A network device, with the attributes that Meshwork reads. */
export interface Link {
  readonly index: number;
  readonly name: string;
  /** IFLA_INFO_KIND: `vxlan`, `bridge`, `veth`, `tun` …; empty for a NIC or loopback. */
  readonly kind: string;
  readonly mac: Mac;
  /** The MAC address that the hardware was made with; absent for virtual links. */
  readonly permanentMac?: Mac;
  readonly mtuBytes: number;
  /** IFF_UP: the administrator wants it up. */
  readonly up: boolean;
  /** IFF_LOWER_UP and not dormant: it carries packets. */
  readonly running: boolean;
  readonly loopback: boolean;
  /** Index of the bridge (or other master) that the link belongs to; 0 for none. */
  readonly master: number;
  /** Index of the link that a VLAN, macvlan or ipvlan sends through. Absent if that link is in another namespace. */
  readonly lower?: number;
  /** Link group; 0 by default. */
  readonly group: number;
  /** IFLA_IFALIAS, empty by default. Our links carry a mark that begins with `meshwork:`. */
  readonly alias: string;
  /** IPv6 address generation; `none` on all our links. */
  readonly addressMode: 'eui64' | 'none' | 'stable-privacy' | 'random';
  /** IPv4 packets that arrive on the link are forwarded. */
  readonly forwards: boolean;
  /** The link is that of a router (`net.ipv6.conf.<link>.forwarding`). */
  readonly forwardsIpv6?: true;
  /** Kernel settings of the link, from IFLA_AF_SPEC. */
  readonly conf: LinkConf;
  /** Only on links of kind `vxlan`. */
  readonly vxlan?: VxlanAttributes;
  /** Only on links of kind `bridge`. Absent on kernels before 6.7, which have no such attribute. */
  readonly bridge?: BridgeAttributes;
  /** Only on ports of a bridge. */
  readonly port?: BridgePortAttributes;
  /** The options of the link and of its kind that are not at the kernel's default; absent when there is none. */
  readonly odd?: LinkOptions;
}

/**
 * Kernel settings of a link: `net.ipv6.conf.<link>.*`, and `net.ipv4.conf.<link>.*` for names that end in 4 or are
 * about ARP. A setting is NO_SETTING where the link has no settings of its family.
 */
export interface LinkConf {
  readonly disableIpv6: number;
  readonly acceptRa: number;
  readonly autoconf: number;
  readonly acceptRedirects: number;
  readonly acceptRedirects4: number;
  readonly arpIgnore: number;
}

/**
 * The `df` option of a VXLAN: whether outer packets carry the don't-fragment flag. `inherit` copies it from the inner
 * packet.
 */
export type DontFragment = 'unset' | 'set' | 'inherit';

/** IFLA_VXLAN_* of a VXLAN device. */
export interface VxlanAttributes {
  readonly vni: Vni;
  readonly udpPort: number;
  /** Source address of the outer packets; absent when the route decides. */
  readonly local?: Ipv4 | Ipv6;
  readonly learning: boolean;
  readonly df: DontFragment;
  /** IFLA_VXLAN_LIMIT: how many FDB entries the device holds, ours among them. Absent: any number. */
  readonly entriesMax?: number;
  /** The multicast group, or the single address, that everything unknown goes to. Absent: to the flood entries alone. */
  readonly group?: Ipv4 | Ipv6;
  /** TTL or hop limit of the outer packets. Absent: the kernel's, which is 1 for a group. */
  readonly hopLimit?: number;
  /** Index of the underlay link that the device is bound to, and goes with. Absent: none. */
  readonly underlay?: number;
}

/** IFLA_BR_* of a bridge. */
export interface BridgeAttributes {
  /** IFLA_BR_FDB_MAX_LEARNED: how many FDB entries the bridge learns from frames; 0 for any number. */
  readonly learnedMax?: number;
  /**
   * BR_BOOLOPT_NO_LL_LEARN, inverted: the bridge learns the senders of frames to 01:80:c2:00:00:00 to 0f, such as LLDP. No
   * nft hook sees all of these.
   */
  readonly learnsLinkLocal?: boolean;
  /**
   * IFLA_BR_FORWARD_DELAY. Absent on a bridge that has another one as the root of its spanning tree: the kernel then shows the
   * root's.
   */
  readonly forwardDelaySec?: number;
}

/** IFLA_BRPORT_* of a bridge port. */
export interface BridgePortAttributes {
  /** The bridge learns FDB entries from frames that arrive at the port. */
  readonly learning: boolean;
  /** The port accepts only frames whose source MAC has an FDB entry at this port. */
  readonly locked: boolean;
  /** The options of the port that are not at the kernel's default, these two too; absent when there is none. */
  readonly odd?: LinkOptions;
}

/** An IP address of a link. */
export interface Address {
  readonly family: 4 | 6;
  /** Index of the link. */
  readonly link: number;
  readonly address: Ipv4 | Ipv6;
  /** Prefix length in bits. */
  readonly length: number;
  readonly scope: 'global' | 'link' | 'host' | 'other';
  /** IFA_F_TENTATIVE or IFA_F_DADFAILED: not usable. */
  readonly tentative: boolean;
  /** IFA_F_NODAD: used at once, without duplicate address detection. */
  readonly nodad: boolean;
  /** IFA_F_DEPRECATED or without IFA_F_PERMANENT: not for new connections, or not for long. Absent for others. */
  readonly fading?: true;
  /** IFA_PROTO, which program added the address: 200 on an underlay NIC is ours. 0 on kernels before 5.18. */
  readonly protocol: number;
}

/** An entry of a routing table. */
export interface Route {
  readonly family: 4 | 6;
  /** `10.11.1.0/24`, `fd42::/64`; `0.0.0.0/0` and `::/0` for the default route. */
  readonly destination: string;
  readonly gateway?: Ipv4 | Ipv6;
  /** Index of the outgoing link. */
  readonly link?: number;
  /** RTA_PREFSRC: the source address that the kernel prefers for this route. */
  readonly source?: Ipv4 | Ipv6;
  readonly table: number;
  /** rtm_protocol, which program added the route: 200 is ours. */
  readonly protocol: number;
  readonly scope: number;
  readonly metric: number;
  /** In events: the route has taken the place of the one with the same destination and metric. */
  readonly replaces?: true;
}

/** Ports of UDP packets. */
export interface UdpPorts {
  readonly from?: number;
  readonly to?: number;
}

/** An IPv4 routing rule: packets that it is for are looked up in its table. */
export interface Rule {
  /** Rules of lower numbers are asked first. */
  readonly priority: number;
  readonly table: number;
  /** FRA_PROTOCOL, which program added the rule: 200 is ours. */
  readonly protocol: number;
  /** The UDP packets that the rule is for; absent for rules that ask for anything else. */
  readonly udp?: UdpPorts;
}

/** A neighbour entry: the MAC address that an IP address has on a link. */
export interface Neighbour {
  readonly family: 4 | 6;
  readonly link: number;
  readonly address: Ipv4 | Ipv6;
  /** Absent while unresolved. */
  readonly mac?: Mac;
  readonly state: 'permanent' | 'noarp' | 'reachable' | 'stale' | 'delay' | 'probe' | 'failed' | 'incomplete' | 'none';
  readonly externLearn: boolean;
  /** NDA_PROTOCOL, which program added the entry: 200 is ours. */
  readonly protocol: number;
}

/**
 * An FDB entry: `self` in a VXLAN device's own table, `master` in the bridge's table, for the port `link`. A bridge
 * keeps every `extern_learn` entry as `dynamic` (the entry does not age) and not sticky, whatever the request said.
 */
export interface FdbEntry {
  readonly table: 'self' | 'master';
  /** Index of the VXLAN device or bridge port. */
  readonly link: number;
  readonly mac: Mac;
  /** The VTEP that frames to `mac` are sent to; always present in `self` entries. */
  readonly remoteVtep?: Ipv4 | Ipv6;
  readonly state: 'permanent' | 'static' | 'dynamic';
  readonly externLearn: boolean;
  readonly sticky: boolean;
  /** The UDP port that frames are sent to, where it is not the device's (NDA_PORT). */
  readonly udpPort?: number;
  /** Frames leave with another VNI than the device's, or by a given link (NDA_VNI, NDA_IFINDEX). */
  readonly detour?: true;
}

/** The number of FDB entries that a dump counted and did not keep, for one table of one link and one remote VTEP. */
export interface EntryCount extends Pick<FdbEntry, 'link' | 'table' | 'remoteVtep'> {
  readonly count: number;
}

/** An event of the monitor. A change carries the new object, a removal the last one. */
export type KernelEvent =
  | {
      readonly type: 'link';
      readonly removed: boolean;
      readonly link: Link;
      /** This process caused the event. False also when the kernel does not tell who caused it. */
      readonly echo: boolean;
    }
  /** `bridge link set` and the like: only the port's attributes are known. */
  | { readonly type: 'port'; readonly link: number; readonly port: BridgePortAttributes; readonly echo: boolean }
  | { readonly type: 'address'; readonly removed: boolean; readonly address: Address; readonly echo: boolean }
  | { readonly type: 'route'; readonly removed: boolean; readonly route: Route; readonly echo: boolean }
  | { readonly type: 'rule'; readonly removed: boolean; readonly rule: Rule; readonly echo: boolean }
  | { readonly type: 'neighbour'; readonly removed: boolean; readonly neighbour: Neighbour; readonly echo: boolean }
  | { readonly type: 'fdb'; readonly removed: boolean; readonly entry: FdbEntry; readonly echo: boolean }
  /** Some nftables table changed: read ours again. */
  | { readonly type: 'nft'; readonly echo: boolean }
  /** Events were lost (ENOBUFS): everything must be read again. */
  | { readonly type: 'overflow' };
