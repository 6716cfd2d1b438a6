/** Kernel objects as this program sees them: what a dump gives, and what the monitor reports. */
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { Vni } from '../../model/network/network.ts';

export interface Link {
  readonly index: number;
  readonly name: string;
  /** IFLA_INFO_KIND: `vxlan`, `bridge`, `veth`, `tun` …; empty for a physical port or loopback. */
  readonly kind: string;
  readonly mac: Mac;
  readonly permanentMac?: Mac;
  readonly mtuBytes: number;
  /** IFF_UP: the administrator wants it up. */
  readonly up: boolean;
  /** IFF_LOWER_UP and not dormant: it carries packets. */
  readonly running: boolean;
  readonly loopback: boolean;
  /** Index of the bridge that it is a port of; 0 for none. */
  readonly master: number;
  readonly group: number;
  readonly alias: string;
  /** IPv6 address generation; `none` on all links of ours. */
  readonly addressMode: 'eui64' | 'none' | 'stable-privacy' | 'random';
  /** IPv4 packets that arrive on it are forwarded. */
  readonly forwards: boolean;
  /** Kernel settings of the link, from IFLA_AF_SPEC. */
  readonly conf: LinkConf;
  readonly vxlan?: VxlanAttributes;
  readonly port?: BridgePortAttributes;
}

/** `net.ipv6.conf.<link>.*`, and `net.ipv4.conf.<link>.*` where the name ends in 4 or speaks of ARP. */
export interface LinkConf {
  readonly acceptRa: number;
  readonly autoconf: number;
  readonly acceptRedirects: number;
  readonly acceptRedirects4: number;
  readonly arpIgnore: number;
}

export type DontFragment = 'unset' | 'set' | 'inherit';

export interface VxlanAttributes {
  readonly vni: Vni;
  readonly udpPort: number;
  /** Source address of the outer packets; absent where the route decides. */
  readonly local?: Ipv4 | Ipv6;
  readonly learning: boolean;
  readonly df: DontFragment;
}

export interface BridgePortAttributes {
  readonly learning: boolean;
  readonly locked: boolean;
}

export interface Address {
  readonly family: 4 | 6;
  readonly link: number;
  readonly address: Ipv4 | Ipv6;
  readonly length: number;
  readonly scope: 'global' | 'link' | 'host' | 'other';
  /** IFA_F_TENTATIVE or IFA_F_DADFAILED: not usable. */
  readonly tentative: boolean;
  readonly nodad: boolean;
  /** IFA_PROTO, who put it there; ours on a port of the underlay is 200. 0 on kernels before 5.18. */
  readonly protocol: number;
}

export interface Route {
  readonly family: 4 | 6;
  /** `10.11.1.0/24`, `fd42::/64`; `0.0.0.0/0` and `::/0` for the default route. */
  readonly destination: string;
  readonly gateway?: Ipv4 | Ipv6;
  readonly link?: number;
  /** RTA_PREFSRC. */
  readonly source?: Ipv4 | Ipv6;
  readonly table: number;
  /** rtm_protocol; ours is 200. */
  readonly protocol: number;
  readonly scope: number;
  readonly metric: number;
}

export interface Neighbour {
  readonly family: 4 | 6;
  readonly link: number;
  readonly address: Ipv4 | Ipv6;
  readonly mac?: Mac;
  readonly state: 'permanent' | 'noarp' | 'reachable' | 'stale' | 'delay' | 'probe' | 'failed' | 'incomplete' | 'none';
  readonly externLearn: boolean;
  /** NDA_PROTOCOL; ours is 200. */
  readonly protocol: number;
}

/**
 * An entry of a forwarding table: `self` in a VXLAN device's own table, `master` in the bridge's, for the port `link`. A
 * bridge keeps every `extern_learn` entry as `dynamic` (it does not age) and not sticky, whatever was asked for.
 */
export interface FdbEntry {
  readonly table: 'self' | 'master';
  readonly link: number;
  readonly mac: Mac;
  /** `self` entries, always: where the frame is sent. */
  readonly remoteVtep?: Ipv4 | Ipv6;
  readonly state: 'permanent' | 'static' | 'dynamic';
  readonly externLearn: boolean;
  readonly sticky: boolean;
}

/** What the monitor tells. Changes carry the object as it is now; removals, as it was. */
export type KernelEvent =
  | {
      readonly type: 'link';
      readonly removed: boolean;
      readonly link: Link;
      /** From this process's own request, as far as the kernel says so. */
      readonly echo: boolean;
    }
  /** `bridge link set` and the like: only the port's attributes are known. */
  | { readonly type: 'port'; readonly link: number; readonly port: BridgePortAttributes; readonly echo: boolean }
  | { readonly type: 'address'; readonly removed: boolean; readonly address: Address; readonly echo: boolean }
  | { readonly type: 'route'; readonly removed: boolean; readonly route: Route; readonly echo: boolean }
  | { readonly type: 'neighbour'; readonly removed: boolean; readonly neighbour: Neighbour; readonly echo: boolean }
  | { readonly type: 'fdb'; readonly removed: boolean; readonly entry: FdbEntry; readonly echo: boolean }
  /** A table of ours, or any, was changed: look again. */
  | { readonly type: 'nft'; readonly echo: boolean }
  /** Events were lost (ENOBUFS): everything must be read again. */
  | { readonly type: 'overflow' };
