/** Networks that have a bridge on each of their nodes. */
import type { Bridge } from '../../model/network/bridge.ts';
import type { Network } from '../../model/network/network.ts';

/** A network with a bridge, into which ports are plugged. */
export interface BridgedNetwork extends Network {
  readonly bridge: Bridge;
}

/** Whether the network has a bridge. */
export function hasBridge(network: Network): network is BridgedNetwork {
  return network.bridge !== undefined;
}
