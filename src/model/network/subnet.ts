/** The subnets of a network, with what serves the addresses in them. */
import { CidrShape, IpShape, MacShape } from '../address/address-shapes.ts';
import type { Ipv4, Ipv4Cidr } from '../address/ipv4.ts';
import type { Ipv6, Ipv6Cidr } from '../address/ipv6.ts';
import type { Mac } from '../address/mac.ts';
import * as form from '../form.ts';
import { LineShape, NameShape, NETWORK_LIST_MAX } from './words.ts';

/** One subnet of a network. */
export interface Subnet {
  readonly cidr: Ipv4Cidr | Ipv6Cidr;
  /** The address of the home node in the subnet. */
  readonly hostAddress?: Ipv4 | Ipv6;
  readonly dhcp?: SubnetDhcp;
  /** Whether routers advertise the subnet (RFC 4861). */
  readonly ra?: boolean;
  /** Whether reverse look-ups of addresses in the subnet are answered here, and never forwarded. */
  readonly localPtr?: boolean;
  readonly tftp?: { readonly root: string };
}

/** What DHCP gives in a subnet. */
export interface SubnetDhcp {
  /** Dynamic addresses, from first to last. */
  readonly ranges: readonly DynamicRange[];
  readonly hosts: readonly DhcpHost[];
  readonly leaseSec?: number;
  /** Further options by their number (RFC 2132, RFC 8415), with the text of their value. */
  readonly options: readonly { readonly number: number; readonly value: string }[];
  /** The boot file that DHCP names, and the server that has it. */
  readonly bootp?: { readonly file: string; readonly server?: string };
}

/** Dynamic addresses in a row. */
export interface DynamicRange {
  readonly first: Ipv4 | Ipv6;
  readonly last: Ipv4 | Ipv6;
  /** Absent: that of the subnet. */
  readonly leaseSec?: number;
}

/** A reservation: a guest with this Ethernet address or client id gets this address or name. */
export interface DhcpHost {
  readonly mac?: Mac;
  /** The client's DUID (RFC 8415 §11) or client identifier. */
  readonly id?: string;
  readonly name?: string;
  readonly address?: Ipv4 | Ipv6;
  /** Absent: that of the subnet. */
  readonly leaseSec?: number;
}

/** Twelve hours are usual; the field of DHCP has 32 bits, and its highest value means for ever (RFC 2131 §3.3). */
export const LEASE_MAX_SEC = 0xffffffff;

const LeaseShape = form.exactOptional(form.int(120, LEASE_MAX_SEC));

const DhcpHostShape: form.Shape<DhcpHost> = form.object({
  mac: form.exactOptional(MacShape),
  id: form.exactOptional(LineShape),
  name: form.exactOptional(NameShape),
  address: form.exactOptional(IpShape),
  leaseSec: LeaseShape,
});

/** The form of a range in documents. */
export const DynamicRangeShape: form.Shape<DynamicRange> = form.object({
  first: IpShape,
  last: IpShape,
  leaseSec: LeaseShape,
});

/** The form of a subnet in documents. */
export const SubnetShape: form.Shape<Subnet> = form.object({
  cidr: CidrShape,
  hostAddress: form.exactOptional(IpShape),
  dhcp: form.exactOptional(
    form.object({
      ranges: form.defaulted(form.listOf(DynamicRangeShape, NETWORK_LIST_MAX), []),
      hosts: form.defaulted(form.listOf(DhcpHostShape, NETWORK_LIST_MAX), []),
      leaseSec: LeaseShape,
      options: form.defaulted(
        form.listOf(form.object({ number: form.int(1, 65_535), value: LineShape }), NETWORK_LIST_MAX),
        [],
      ),
      bootp: form.exactOptional(form.object({ file: LineShape, server: form.exactOptional(LineShape) })),
    }),
  ),
  ra: form.exactOptional(form.boolean()),
  localPtr: form.exactOptional(form.boolean()),
  tftp: form.exactOptional(form.object({ root: LineShape })),
});
