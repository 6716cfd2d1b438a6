/** An endpoint in one mesh, at this machine's own address, with limits that suit the largest mesh. */

import type { MachineWord } from '../../model/machine.ts';
import { memberAddresses } from '../../model/network/member.ts';
import type { Network } from '../../model/network/network.ts';
import type { Journal } from '../journal/journal.ts';
import { DeviceEndpoint, type DeviceEndpointInput, type EndpointLimits } from './device-endpoint.ts';

/** A DeviceEndpoint's input, with the mesh and the machine in place of device and address. */
export interface MeshEndpointInput
  extends Pick<DeviceEndpointInput, 'port' | 'openListener' | 'handler' | 'clock' | 'onConnection' | 'onHearing'> {
  readonly network: Network;
  readonly machine: MachineWord;
  /** A word for the service, for the journal: `membership` gives events of the kind `membership not served`. */
  readonly service: string;
  readonly limits?: EndpointLimits;
  readonly journal: Journal;
}

const LIMITS: EndpointLimits = {
  /** Enough for a stream and a few requests of each member of the largest mesh. */
  connections: 8192,
  /** A member has one stream and one connection for reports; the others may be left over from partitions. */
  connectionsPerPeer: 16,
  /** All members may connect at once. */
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

/** A key for DeviceEndpoints: the endpoint must be reopened when the mesh's bridge or the machine's address changes. */
export function meshEndpointKey(network: Network, machine: MachineWord): string {
  return `${network.devices.bridge} ${memberAddresses(network, machine).ipv6}`;
}

/** An endpoint that records failures in the journal. It listens once it follows the index of the mesh's bridge. */
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
