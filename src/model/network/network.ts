/**
 * A network: one layer-2 virtual network. All formats (`.conf` files, libvirt XML …) parse into this model and print from
 * it; controller and agent know no other.
 */
import type { Ipv6Cidr } from '../address/ipv6.ts';

/**
 * Stable name of a network inside Meshwork: `mesh-<vni>` for a `.conf` mesh. It marks kernel objects:
 * `meshwork:<kind>:<network id>`.
 */
export type NetworkId = string & { readonly __brand: 'NetworkId' };
/** VXLAN network identifier, 1 to 16777215 (RFC 7348 §5; 0 is not usable in Linux). */
export type Vni = number & { readonly __brand: 'Vni' };

/** VNIs have 24 bits (RFC 7348 §5). */
export const VNI_MAX = 0xffffff;
/** UDP port of VXLAN, registered at IANA; the seed fixes it. */
export const VXLAN_PORT = 4789;
/**
 * MTU of a mesh, fixed by the seed: on an underlay of 1500 it leaves room for VXLAN over IPv6 (70) and for one more
 * tunnel (50).
 */
export const MESH_MTU_BYTES = 1380;
/** What VXLAN adds over IPv4: outer IPv4, UDP and VXLAN headers, and the inner Ethernet header (RFC 7348 §5). */
export const VXLAN_OVERHEAD_BYTES = 50;

/** What carries a network. */
export type Fabric = MeshFabric;

/** A VXLAN network whose members find each other through host0. */
export interface MeshFabric {
  readonly kind: 'mesh';
  readonly vni: Vni;
  /** The seed's `key`, in canonical decimal: addresses are derived from its text. */
  readonly key: string;
  /** The IPv6 /64 that members take their addresses from. */
  readonly prefix: Ipv6Cidr;
  readonly mtuBytes: number;
}

/** A network as every part of Meshwork sees it. */
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
