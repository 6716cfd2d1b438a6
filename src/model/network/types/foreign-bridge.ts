/** The type `foreign-bridge`: a bridge that another program owns. Meshwork plugs ports into it, and does nothing else. */
import * as form from '../../form.ts';
import { DeviceShape } from '../words.ts';
import type { NetworkTypeRow } from './network-type-row.ts';

/** A network on a bridge that is there, or is not, without Meshwork. */
export interface ForeignBridgeType {
  readonly kind: 'foreign-bridge';
  /** Name of the bridge on each node. */
  readonly name: string;
}

/** The row of the type. Several networks may be on one such bridge. */
export const FOREIGN_BRIDGE: NetworkTypeRow<ForeignBridgeType> = {
  form: form.object({ kind: form.literal('foreign-bridge'), name: DeviceShape }),
  // The network has no bridge of its own: `bridge` would be one that Meshwork makes.
  hasBridge: false,
  hasPeers: false,
  defaults: () => ({}),
  mtuBytes: () => 1_500,
  claims: () => [],
  remakesDevice: () => false,
};
