/**
 * Changes that rtnetlink can make. Links are named, not numbered, since a batch may use a link that it makes itself.
 * FDB and neighbour entries are replaced, never added, so that a learnt entry does not cause a refusal. Only a flood
 * entry is appended: the kernel keeps one for each remote VTEP, and appending the same one twice changes nothing.
 */
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { LinkOptions } from './link-options.ts';
import type { BridgeAttributes, FdbEntry, Rule, UdpPorts, VxlanAttributes } from './objects.ts';

/** The attributes of a VXLAN device, with its underlay link by name. */
export interface VxlanDevice extends Omit<VxlanAttributes, 'underlay'> {
  readonly dev?: string;
}

/** The attributes of a VXLAN device that can change while the device exists. */
export interface VxlanChange extends Partial<Pick<VxlanAttributes, 'local' | 'learning' | 'df'>> {
  /** 0 for the kernel's. */
  readonly hopLimit?: number;
  /** The family of a group or single address that the device shall not have any more. */
  readonly noGroup?: 'ipv4' | 'ipv6';
}

/** The attributes of a link that shall change; absent ones stay. */
export interface LinkChange {
  /** The new name. */
  readonly name?: string;
  readonly mac?: Mac;
  readonly mtuBytes?: number;
  readonly up?: boolean;
  /** Name of the bridge to join; '' leaves it. */
  readonly master?: string;
  readonly group?: number;
  readonly alias?: string;
  readonly addressMode?: 'none' | 'eui64';
  readonly vxlan?: VxlanChange;
  readonly bridge?: BridgeAttributes;
  /** `flush`: the bridge forgets the entries that it has learnt at the port. */
  readonly port?: { readonly learning?: boolean; readonly locked?: boolean; readonly flush?: true };
  readonly options?: LinkOptions;
}

/** One change. Each becomes one or two netlink messages; refusals are reported per operation. */
export type KernelOperation =
  | {
      readonly do: 'link-add';
      readonly kind: 'bridge' | 'vxlan' | 'veth' | 'macvlan';
      readonly name: string;
      readonly mac?: Mac;
      readonly mtuBytes?: number;
      readonly group?: number;
      readonly master?: string;
      readonly up?: boolean;
      readonly vxlan?: VxlanDevice;
      readonly bridge?: BridgeAttributes;
      /** veth: name of the other end. */
      readonly peer?: string;
      /** macvlan: name of the link that it is on. Links on one lower link reach each other. */
      readonly lower?: string;
      /** The namespace that the link is made in, which an open file stands for. Absent: that of the socket. */
      readonly netnsFd?: number;
    }
  | { readonly do: 'link-set'; readonly link: string; readonly change: LinkChange }
  | { readonly do: 'link-delete'; readonly link: string }
  /** Moves a link into another network namespace, which an open file stands for. It loses its master and its addresses. */
  | { readonly do: 'link-move'; readonly link: string; readonly netnsFd: number }
  /** Deletes every link of the group in one message. */
  | { readonly do: 'group-delete'; readonly group: number }
  | {
      readonly do: 'address-add' | 'address-delete';
      readonly link: string;
      readonly address: Ipv4 | Ipv6;
      readonly length: number;
      readonly nodad?: boolean;
      /** Of the route to the prefix that the kernel makes; its own when absent. */
      readonly metric?: number;
      /** IFA_PROTO; kernels before 5.18 do not keep it. */
      readonly protocol?: number;
    }
  | {
      readonly do: 'route-replace' | 'route-delete';
      /** `address/length`, of either family. */
      readonly destination: string;
      /** The main table if absent. */
      readonly table?: number;
      readonly gateway?: Ipv4 | Ipv6;
      readonly link?: string;
      /** Packets there are refused, and go nowhere. */
      readonly blackhole?: true;
      /** The kernel's own when absent. */
      readonly metric?: number;
      readonly protocol: number;
      /** A route of this destination and metric that is there stays: the kernel refuses the new one with EEXIST. */
      readonly onlyNew?: true;
    }
  /** Adds or deletes an IPv4 rule for UDP packets. */
  | ({ readonly do: 'rule-add' | 'rule-delete'; readonly udp: UdpPorts } & Omit<Rule, 'udp'>)
  | {
      readonly do: 'neighbour-replace';
      readonly link: string;
      readonly address: Ipv4 | Ipv6;
      readonly mac: Mac;
      /** Always permanent and extern_learn. */
      readonly protocol: number;
    }
  | { readonly do: 'neighbour-delete'; readonly link: string; readonly address: Ipv4 | Ipv6 }
  | {
      readonly do: 'fdb-replace' | 'fdb-append' | 'fdb-delete';
      readonly table: FdbEntry['table'];
      readonly link: string;
      readonly mac: Mac;
      readonly remoteVtep?: Ipv4 | Ipv6;
      /** Absent: the device's. */
      readonly udpPort?: number;
      readonly state: FdbEntry['state'];
      readonly externLearn: boolean;
      readonly sticky?: boolean;
    };
