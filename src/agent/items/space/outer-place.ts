/**
 * The way out of the namespace in which a network is served: a device of its own on a NIC of the node, with the addresses that exist
 * once. So the node itself forwards nothing, and nothing of the node is reached this way. Only the active router has one.
 */
import type { Ipv4, Ipv4Cidr } from '../../../model/address/ipv4.ts';
import type { Mac } from '../../../model/address/mac.ts';
import type { Translation } from '../../../services/tayga/tayga-conf.ts';

/** The name of the device inside the namespace. */
export const OUTER_LINK = 'outer';

/** A way out. */
export interface OuterPlace {
  /** The NIC of the node. */
  readonly device: string;
  readonly mac: Mac;
  readonly address: Ipv4;
  /** Length of the prefix of the subnet outside. */
  readonly length: number;
  /** The router of that subnet. Absent: only the subnet is reached. */
  readonly gateway?: Ipv4;
  /** Blocks of outer addresses of which those that nobody has must go nowhere: else they loop between this router and the next. */
  readonly blocks: readonly Ipv4Cidr[];
  /** The UDP ports of the VXLANs of the node's networks, each once: what guests send there goes nowhere. */
  readonly vxlanPorts: readonly number[];
  readonly translation: Translation;
}
