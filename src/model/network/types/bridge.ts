/** The type `bridge`: a network of one node, whose bridge has no way to other nodes. */
import * as form from '../../form.ts';
import type { NetworkTypeRow } from './network-type-row.ts';

/** A network that is on each of its nodes for itself. */
export interface BridgeType {
  readonly kind: 'bridge';
}

/** The row of the type. */
export const BRIDGE: NetworkTypeRow<BridgeType> = {
  form: form.object({ kind: form.literal('bridge') }),
  hasBridge: true,
  hasPeers: false,
  defaults: () => ({}),
  mtuBytes: () => 1_500,
  claims: () => [],
  remakesDevice: () => false,
};
