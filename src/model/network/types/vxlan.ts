/** The type `vxlan`: a network that UDP packets carry between nodes (RFC 7348). */
import { IpShape } from '../../address/address-shapes.ts';
import type { Ipv4 } from '../../address/ipv4.ts';
import type { Ipv6 } from '../../address/ipv6.ts';
import * as form from '../../form.ts';
import { hexNumber } from '../number.ts';
import { DeviceShape, PortNumberShape } from '../words.ts';
import type { NetworkTypeRow } from './network-type-row.ts';

/** VXLAN network identifier, 1 to 16777215 (RFC 7348 §5; 0 is not usable in Linux). */
export type Vni = number & { readonly __brand: 'Vni' };

/** VNIs have 24 bits (RFC 7348 §5). */
export const VNI_MAX = 0xffffff;
/** UDP port of VXLAN, registered at IANA; the seed fixes it. */
export const VXLAN_PORT = 4789;

/** The address family of a VXLAN's outer packets. A device has one for life. */
export type UnderlayFamily = 'ipv4' | 'ipv6';

/** Outer IP, UDP (8) and VXLAN (8) headers, and the inner Ethernet header (14); RFC 7348 §5. */
const OVERHEAD_BYTES: Readonly<Record<UnderlayFamily, number>> = { ipv4: 20 + 30, ipv6: 40 + 30 };

/** What VXLAN adds to the packets of a network: 50 bytes over IPv4, 70 over IPv6. */
export function vxlanOverheadBytes(underlay: UnderlayFamily): number {
  return OVERHEAD_BYTES[underlay];
}

/** A network in a VXLAN. */
export interface VxlanType {
  readonly kind: 'vxlan';
  /** Name of the VXLAN device, a port of the network's bridge. */
  readonly device: string;
  readonly vni: Vni;
  readonly udpPort: number;
  readonly underlay: UnderlayFamily;
  /** Source of this network's packets on every node. Absent: each node takes its own address on the underlay. */
  readonly local?: Ipv4 | Ipv6;
  /** The underlay device, to which the VXLAN device is bound for life. */
  readonly dev?: string;
  /** TTL or hop limit of the outer packets. Absent: the kernel's. */
  readonly hopLimit?: number;
  /** Whether the VXLAN device learns from packets behind which node an Ethernet address is. */
  readonly learning: boolean;
}

/** The form of a VNI. */
export const VniShape: form.Shape<Vni> = form.guard<Vni>(
  (value) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= VNI_MAX,
  { rule: `A VNI is a whole number from 1 to ${VNI_MAX}.` },
  { kind: 'whole', min: 1, max: VNI_MAX },
);

/** The row of the type. */
export const VXLAN: NetworkTypeRow<VxlanType> = {
  form: form.object({
    kind: form.literal('vxlan'),
    device: DeviceShape,
    vni: VniShape,
    udpPort: PortNumberShape,
    underlay: form.oneOf(['ipv4', 'ipv6']),
    local: form.exactOptional(IpShape),
    dev: form.exactOptional(DeviceShape),
    hopLimit: form.exactOptional(form.int(1, 255)),
    learning: form.boolean(),
  }),
  hasBridge: true,
  hasPeers: true,
  defaults: (number) => ({
    device: `vxlan${hexNumber(number)}`,
    vni: number,
    udpPort: VXLAN_PORT,
    underlay: 'ipv4',
    learning: true,
  }),
  mtuBytes: ({ underlay }) => 1_500 - vxlanOverheadBytes(underlay),
  claims: ({ device, vni, udpPort }) => [
    { part: 'device', text: device },
    { part: 'vni', text: `${vni} on UDP port ${udpPort}` },
  ],
  remakesDevice: (before, now) =>
    before.vni !== now.vni ||
    before.udpPort !== now.udpPort ||
    before.underlay !== now.underlay ||
    before.dev !== now.dev,
};
