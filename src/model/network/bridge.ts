/** The bridge of a network: where the ports of its guests and its own addresses are. */
import { MacShape } from '../address/address-shapes.ts';
import type { Mac } from '../address/mac.ts';
import * as form from '../form.ts';
import { DeviceShape, NameShape } from './words.ts';

/** The bridge of a network on each node. Networks of cards (macvtap, hostdev) have none. */
export interface Bridge {
  /** Name of the device. */
  readonly name: string;
  /** Ethernet address on every node. Absent: each node derives its own. */
  readonly mac?: Mac;
  /** Whether the bridge speaks the spanning tree protocol (IEEE 802.1D). */
  readonly stp: boolean;
  /** How long a port listens and learns before it forwards; without STP it forwards at once. */
  readonly forwardDelaySec: number;
  /** Whether the kernel learns Ethernet addresses from frames, or Meshwork writes each into the FDB. */
  readonly macTable: 'learned' | 'managed';
  /** The zone of firewalld that the bridge is put into. Absent: the one for virtual networks, where firewalld runs. */
  readonly zone?: string;
}

/** A bridge without a spanning tree, as Meshwork makes them: it forwards from the first frame on. */
export function plainBridge(name: string): Bridge {
  return { name, stp: false, forwardDelaySec: 0, macTable: 'learned' };
}

/** The form of a bridge in documents. */
export const BridgeShape: form.Shape<Bridge> = form.object({
  name: DeviceShape,
  mac: form.exactOptional(MacShape),
  stp: form.defaulted(form.boolean(), false),
  forwardDelaySec: form.defaulted(form.int(0, 30), 0),
  macTable: form.defaulted(form.oneOf(['learned', 'managed']), 'learned'),
  zone: form.exactOptional(NameShape),
});
