/** Networks that a VXLAN device carries between the bridges of their nodes. */
import type { Bridge } from './bridge.ts';
import type { Network } from './network.ts';
import type { VxlanType } from './types/vxlan.ts';

/** A network with a bridge and a VXLAN device on each of its nodes. A mesh is one. */
export interface VxlanNetwork extends Network {
  readonly bridge: Bridge;
  readonly type: VxlanType;
}

/** Whether a network has a bridge and a VXLAN device. */
export function isVxlanNetwork(network: Network): network is VxlanNetwork {
  return network.bridge !== undefined && network.type.kind === 'vxlan';
}
