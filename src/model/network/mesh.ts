/** A mesh: a VXLAN network whose members find each other through host0. */
import type { Ipv6Cidr } from '../address/ipv6.ts';
import { type Bridge, plainBridge } from './bridge.ts';
import type { DerivedHostAddress } from './host-address.ts';
import type { Network } from './network.ts';
import type { NetworkId, NetworkNumber } from './number.ts';
import type { MembershipPeers } from './peers/membership.ts';
import { type Vni, VXLAN_PORT, type VxlanType } from './types/vxlan.ts';

/**
 * MTU of a mesh, fixed by the seed: on an underlay of 1500 it leaves room for VXLAN over IPv6 (70) and for one more
 * tunnel (50).
 */
export const MESH_MTU_BYTES = 1380;

/** A network that is a mesh. */
export interface Mesh extends Network {
  readonly bridge: Bridge;
  readonly type: VxlanType;
  readonly peers: MembershipPeers;
  readonly hostAddress: DerivedHostAddress;
}

/** Whether a network is a mesh. */
export function isMesh(network: Network): network is Mesh {
  const { bridge, type, peers, hostAddress } = network;
  return (
    bridge !== undefined && type.kind === 'vxlan' && peers?.kind === 'membership' && hostAddress.kind === 'derived'
  );
}

/** Whether the identifier is that of a mesh: others are `net-<number in hex>`. */
export function isMeshId(id: NetworkId): boolean {
  return id.startsWith('mesh-');
}

/** A mesh as its `.conf` file gives it: its number is its VNI, and device names carry the VNI in decimal. */
export function meshNetwork({
  name,
  prefix,
  vni,
  key,
}: {
  name: string;
  prefix: Ipv6Cidr;
  vni: Vni;
  key: string;
}): Mesh {
  return {
    id: `mesh-${vni}` as NetworkId,
    number: Number(vni) as NetworkNumber,
    name,
    labels: {},
    bridge: plainBridge(`br${vni}`),
    type: { kind: 'vxlan', device: `vxlan${vni}`, vni, udpPort: VXLAN_PORT, underlay: 'ipv4', learning: true },
    peers: { kind: 'membership' },
    mtuBytes: MESH_MTU_BYTES,
    hostAddress: { kind: 'derived', key, prefix },
    subnets: [],
    routes: [],
    routing: { mode: 'isolated', via: [], rules: [] },
    span: { kind: 'file' },
    source: 'file',
    extra: {},
  };
}
