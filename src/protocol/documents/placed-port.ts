/** A port that host0 has placed on a node, as host0 lists it. */
import type { Mac } from '../../model/address/mac.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { NetworkId } from '../../model/network/number.ts';

/** One port. */
export interface PlacedPortView {
  /** Hex digits. An id is never given twice. */
  readonly id: string;
  readonly network: NetworkId;
  readonly networkName: string;
  /** The node's name. */
  readonly node: string;
  readonly machine: MachineWord;
  /** Name of the interface on the node. */
  readonly interface: string;
  readonly mac: Mac;
  /**
   * `wanted`: the node does not have the interface on the bridge of the network yet. `plugged`: it does. `gone`: host0 has deleted
   * the port.
   */
  readonly state: 'wanted' | 'plugged' | 'gone';
  /** Why the port is not plugged. */
  readonly why?: string;
}
