/** The type `macvtap`: guests share cards of their node without a bridge, each with a macvtap device on one of them. */
import * as form from '../../form.ts';
import { DeviceShape, NETWORK_LIST_MAX } from '../words.ts';
import type { NetworkTypeRow } from './network-type-row.ts';

/** A network on cards of each node. */
export interface MacvtapType {
  readonly kind: 'macvtap';
  /** How guests on one card reach each other, as Linux names the modes; with `passthrough`, a guest has its card alone. */
  readonly mode: 'bridge' | 'private' | 'vepa' | 'passthrough';
  /** Names of the cards. A guest gets the one with the fewest guests. */
  readonly cards: readonly string[];
  /** The card whose virtual functions (SR-IOV) are the cards. */
  readonly physicalFunction?: string;
}

/** The row of the type. */
export const MACVTAP: NetworkTypeRow<MacvtapType> = {
  form: form.object({
    kind: form.literal('macvtap'),
    mode: form.oneOf(['bridge', 'private', 'vepa', 'passthrough']),
    cards: form.defaulted(form.listOf(DeviceShape, NETWORK_LIST_MAX), []),
    physicalFunction: form.exactOptional(DeviceShape),
  }),
  hasBridge: false,
  hasPeers: false,
  defaults: () => ({ mode: 'bridge', cards: [] }),
  mtuBytes: () => 1_500,
  claims: () => [],
  remakesDevice: () => false,
};
