/** The type `hostdev`: each guest has a PCI card of its node for itself. */
import * as form from '../../form.ts';
import { DeviceShape, NETWORK_LIST_MAX } from '../words.ts';
import type { NetworkTypeRow } from './network-type-row.ts';

/** A network of PCI cards that guests are given. */
export interface HostdevType {
  readonly kind: 'hostdev';
  /** PCI addresses of the cards, as `0000:03:10.1`. */
  readonly cards: readonly string[];
  /** The card whose virtual functions (SR-IOV) are the cards. */
  readonly physicalFunction?: string;
  /** Whether the card is taken from its driver for the guest, and given back. */
  readonly managed: boolean;
}

const PciAddressShape = form.worded(
  form.string({ pattern: /^[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]$/ }),
  'A PCI address, as 0000:03:10.1.',
);

/** The row of the type. */
export const HOSTDEV: NetworkTypeRow<HostdevType> = {
  form: form.object({
    kind: form.literal('hostdev'),
    cards: form.defaulted(form.listOf(PciAddressShape, NETWORK_LIST_MAX), []),
    physicalFunction: form.exactOptional(DeviceShape),
    managed: form.defaulted(form.boolean(), false),
  }),
  hasBridge: false,
  hasPeers: false,
  defaults: () => ({ cards: [], managed: false }),
  mtuBytes: () => 1_500,
  claims: () => [],
  remakesDevice: () => false,
};
