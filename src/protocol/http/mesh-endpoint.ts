/** An endpoint in one mesh, at this machine's own address. */
import type { MachineWord } from '../../model/machine.ts';
import { memberAddresses } from '../../model/network/member.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import type { Journal } from '../journal/journal.ts';
import { DeviceEndpoint, type DeviceEndpointInput, type EndpointLimits } from './device-endpoint.ts';
import type { DeviceListenerInput } from './device-listener.ts';

/** The mesh and the machine of an endpoint, in place of device and address. */
export interface MeshPlace {
  readonly network: Mesh;
  readonly machine: MachineWord;
  /** A word for the service, for the journal: `membership` gives events of the kind `membership not served`. */
  readonly service: string;
  readonly journal: Journal;
  /** The device with the machine's address in a mesh; the mesh's bridge when absent. */
  readonly deviceOf?: (network: Mesh) => string;
}

/** A DeviceEndpoint's input, with the mesh and the machine in place of device and address. */
export interface MeshEndpointInput
  extends MeshPlace,
    Pick<
      DeviceEndpointInput,
      'port' | 'openListener' | 'handler' | 'clock' | 'onConnection' | 'onHearing' | 'isMember' | 'originOf'
    > {
  readonly limits: EndpointLimits;
}

/** A key for DeviceEndpoints: the endpoint must be reopened when the mesh's bridge or the machine's address changes. */
export function meshEndpointKey(network: Mesh, machine: MachineWord): string {
  return `${network.bridge.name} ${memberAddresses(network, machine).ipv6}`;
}

/** Where a listener of a machine is in a mesh. Failures are recorded in the journal. */
export function meshPlace({
  network,
  machine,
  service,
  journal,
  deviceOf,
}: MeshPlace): Pick<DeviceListenerInput, 'title' | 'device' | 'address' | 'onFailure'> {
  const device = deviceOf?.(network) ?? network.bridge.name;
  return {
    title: `${service} endpoint of ${network.name}`,
    device,
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
  };
}

/** An endpoint that records failures in the journal. It listens once it follows the index of the mesh's bridge. */
export function meshEndpoint({
  network,
  machine,
  service,
  journal,
  deviceOf,
  ...rest
}: MeshEndpointInput): DeviceEndpoint {
  const place = meshPlace({ network, machine, service, journal, ...(deviceOf && { deviceOf }) });
  return new DeviceEndpoint({
    ...rest,
    ...place,
    onFault: (thrown) => journal.faults.tell(`request to the ${place.title}`, thrown),
  });
}
