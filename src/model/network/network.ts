/**
 * A network: one layer-2 virtual network, and the one model behind every format. Formats (`.conf` files, libvirt XML …)
 * parse into it and print from it; controller and agent know nothing else.
 */
import type { Ipv6Cidr } from '../address/ipv6.ts';

/** Stable name of a network inside Meshwork; for a `.conf` mesh `mesh-<vni>`. Marks kernel objects: `meshwork:<kind>:<network id>`. */
export type NetworkId = string & { readonly __brand: 'NetworkId' };
/** VXLAN network identifier, 1 to 16777215 (RFC 7348 §5; 0 is not usable in Linux). */
export type Vni = number & { readonly __brand: 'Vni' };

export const VNI_MAX = 0xffffff;
/** IANA's VXLAN port; the seed fixes it. */
export const VXLAN_PORT = 4789;
/** The seed fixes 1380: it leaves room for VXLAN over IPv6 (70) and for a further tunnel below (50) on a 1500 underlay. */
export const MESH_MTU_BYTES = 1380;
/** What VXLAN adds over IPv4: outer IPv4, UDP and VXLAN headers, and the inner Ethernet header (RFC 7348 §5). */
export const VXLAN_OVERHEAD_BYTES = 50;

/** What carries a network. */
export type Fabric = MeshFabric;

/** VXLAN whose members find each other through host0. */
export interface MeshFabric {
  readonly kind: 'mesh';
  readonly vni: Vni;
  /** The seed's `key`: canonical decimal, feeds address derivation. */
  readonly key: string;
  /** The one IPv6 /64 that members take their addresses from. */
  readonly prefix: Ipv6Cidr;
  readonly mtuBytes: number;
}

export interface Network {
  readonly id: NetworkId;
  readonly name: string;
  readonly devices: { readonly vxlan: string; readonly bridge: string };
  readonly fabric: Fabric;
}

/** A mesh as its `.conf` file gives it: device names carry the VNI in decimal. */
export function meshNetwork(mesh: { name: string; prefix: Ipv6Cidr; vni: Vni; key: string }): Network {
  return {
    id: `mesh-${mesh.vni}` as NetworkId,
    name: mesh.name,
    devices: { vxlan: `vxlan${mesh.vni}`, bridge: `br${mesh.vni}` },
    fabric: { kind: 'mesh', vni: mesh.vni, key: mesh.key, prefix: mesh.prefix, mtuBytes: MESH_MTU_BYTES },
  };
}
