/** What guests of a network may do at their ports. */
import * as form from '../form.ts';
import { NameShape, NETWORK_LIST_MAX } from './words.ts';

/** Limits of guests. What is absent is not limited. */
export interface NetworkGuests {
  /** Whether a port sends only from the Ethernet and IP addresses that it was given. */
  readonly binding?: boolean;
  /** Whether guests on one node reach each other only through a router. */
  readonly isolation?: boolean;
  /** Limits of each port, as the guest sees the direction. */
  readonly bandwidth?: { readonly in?: Bandwidth; readonly out?: Bandwidth };
  readonly portGroups: readonly PortGroup[];
  /** The VLAN tag of frames on the underlay (IEEE 802.1Q). */
  readonly vlan?: number;
  /** The VLAN tags of frames at a port, where there are several. */
  readonly trunk?: VlanTrunk;
  /** Whether guests may send as routers and DHCP servers, and change their Ethernet address. */
  readonly trust?: boolean;
}

/** Several VLAN tags at one port. */
export interface VlanTrunk {
  readonly tags: readonly number[];
  /** The tag of frames that come without one, and whether they leave with it. */
  readonly native?: { readonly tag: number; readonly mode: 'tagged' | 'untagged' };
}

/** The rate of a port in one direction. */
export interface Bandwidth {
  readonly averageBytesPerSec: number;
  readonly peakBytesPerSec?: number;
  readonly burstBytes?: number;
}

/** A named choice of limits, which a port asks for. */
export interface PortGroup extends Omit<NetworkGuests, 'portGroups'> {
  readonly name: string;
  /** Whether ports that name no group get this one. */
  readonly isDefault: boolean;
}

/** The form of a rate in documents. */
export const BandwidthShape: form.Shape<Bandwidth> = form.object({
  averageBytesPerSec: form.int(1),
  peakBytesPerSec: form.exactOptional(form.int(1)),
  burstBytes: form.exactOptional(form.int(1)),
});

const TagShape = form.int(0, 4_095);

const LIMITS = {
  binding: form.exactOptional(form.boolean()),
  isolation: form.exactOptional(form.boolean()),
  bandwidth: form.exactOptional(
    form.object({ in: form.exactOptional(BandwidthShape), out: form.exactOptional(BandwidthShape) }),
  ),
  vlan: form.exactOptional(form.int(1, 4_094)),
  trunk: form.exactOptional(
    form.object({
      tags: form.listOf(TagShape, NETWORK_LIST_MAX),
      native: form.exactOptional(form.object({ tag: TagShape, mode: form.oneOf(['tagged', 'untagged']) })),
    }),
  ),
  trust: form.exactOptional(form.boolean()),
};

const PortGroupShape: form.Shape<PortGroup> = form.object({
  ...LIMITS,
  name: NameShape,
  isDefault: form.defaulted(form.boolean(), false),
});

/** The form of limits in documents. */
export const NetworkGuestsShape: form.Shape<NetworkGuests> = form.object({
  ...LIMITS,
  portGroups: form.defaulted(form.listOf(PortGroupShape, NETWORK_LIST_MAX), []),
});
