/** An endpoint in one mesh, at this machine's own address there, for as many as a mesh may have. */

import type { MachineWord } from '../../model/machine.ts';
import { memberAddresses } from '../../model/network/member.ts';
import type { Network } from '../../model/network/network.ts';
import type { Journal } from '../journal/journal.ts';
import { DeviceEndpoint, type DeviceEndpointInput, type EndpointLimits } from './device-endpoint.ts';

export interface MeshEndpointInput
  extends Pick<DeviceEndpointInput, 'port' | 'openListener' | 'handler' | 'clock' | 'onConnection' | 'onHearing'> {
  readonly network: Network;
  readonly machine: MachineWord;
  /** What it serves: `membership not served`. */
  readonly service: string;
  readonly limits?: EndpointLimits;
  readonly journal: Journal;
}

const LIMITS: EndpointLimits = {
  /** A stream and a few requests of each member of the largest mesh. */
  connections: 8192,
  /** One member holds a stream and a connection for reports; the rest is left over from partitions. */
  connectionsPerPeer: 16,
  /** All members may come at once. */
  backlog: 4096,
  http: {
    maxHeaderSize: 4096,
    headersTimeout: 5_000,
    requestTimeout: 10_000,
    /** Longer than the time between two reports, so that they share a connection. */
    keepAliveTimeout: 15_000,
    connectionsCheckingInterval: 1_000,
  },
};

/** Names the place of a listener: another bridge, or another address of `machine` in the mesh, is another place. */
export function meshEndpointKey(network: Network, machine: MachineWord): string {
  return `${network.devices.bridge} ${memberAddresses(network, machine).ipv6}`;
}

export function meshEndpoint({
  network,
  machine,
  service,
  journal,
  limits = LIMITS,
  ...rest
}: MeshEndpointInput): DeviceEndpoint {
  const { bridge: device } = network.devices;
  return new DeviceEndpoint({
    ...rest,
    device,
    limits,
    address: memberAddresses(network, machine).ipv6,
    onFailure: ({ code, message }) =>
      journal.record({
        level: 'warning',
        kind: `${service} not served`,
        message: `${network.name}: ${message}`,
        code,
        network: network.id,
        object: device,
      }),
  });
}
