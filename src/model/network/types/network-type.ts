/** All types of networks: what carries a network. A type is a file in this folder. */
import type { BridgeType } from './bridge.ts';
import type { VxlanType } from './vxlan.ts';

/** What carries a network. */
export type NetworkType = VxlanType | BridgeType;
