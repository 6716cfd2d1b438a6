/** A network card of a virtual machine. */
import { IpShape, MacShape } from '../address/address-shapes.ts';
import type { Mac } from '../address/mac.ts';
import * as form from '../form.ts';
import type { HostInterface } from '../network/host-address.ts';
import { NameShape } from '../network/words.ts';
import { PartIdShape } from './volume.ts';

/** The kinds of network cards that a guest can be given. `virtio` is much quicker than the others. */
export const CARD_MODELS = ['virtio', 'e1000', 'e1000e', 'rtl8139'] as const;

/** A network card of a virtual machine, and the network that it is plugged into. */
export interface WorkloadNetwork {
  /** One word, unique in the workload. */
  readonly id: string;
  /** The name of the network, its identifier, or its number. */
  readonly network: string;
  /** Absent: host0 chooses one. */
  readonly mac?: Mac;
  /** What the guest may send from beside its link-local address, and what its seed tells it. Empty: host0 knows of none. */
  readonly addresses: readonly HostInterface[];
  readonly model: (typeof CARD_MODELS)[number];
}

/** The most addresses of one card. */
export const CARD_ADDRESSES_MAX = 16;

/** The form of an address with its length, where the length is one of the family of the address. */
const CardAddressShape: form.Shape<HostInterface> = form.refined(
  form.object({ address: IpShape, length: form.int(0, 128) }),
  ({ address, length }) => address.includes(':') || length <= 32,
);

/** The form of a network card in documents. */
export const WorkloadNetworkShape: form.Shape<WorkloadNetwork> = form.object({
  id: PartIdShape,
  network: NameShape,
  mac: form.exactOptional(MacShape),
  addresses: form.listOf(CardAddressShape, CARD_ADDRESSES_MAX),
  model: form.oneOf(CARD_MODELS),
});
