/** host0's membership endpoints: one in each mesh, opened and closed with the meshes and their bridges. */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Membership } from '../../controller/membership/membership.ts';
import { boundListener } from '../../kernel/sockets/listener.ts';
import type { ApiMetrics } from '../../metrics/api-metrics.ts';
import type { Clock } from '../../model/clock.ts';
import { MEMBERSHIP_PORT } from '../../protocol/documents/tcp-ports.ts';
import { DeviceEndpoints, type DeviceEndpointsInput } from '../../protocol/http/device-endpoints.ts';
import { meshEndpoint } from '../../protocol/http/mesh-endpoint.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { type MembershipApiInput, type MeshConnection, membershipApi } from './membership-api.ts';

/** What the endpoints need of host0. */
export interface MeshEndpointsInput extends Pick<DeviceEndpointsInput<Membership>, 'indexOf'> {
  readonly clock: Clock;
  readonly journal: Journal;
  readonly metrics: ApiMetrics;
  readonly takeInventory: MembershipApiInput['takeInventory'];
}

/** The endpoints; they serve the meshes that are given to `serve`. */
export async function openMeshEndpoints(input: MeshEndpointsInput): Promise<DeviceEndpoints<Membership>> {
  const connections = new WeakMap<Socket, MeshConnection>();
  const connectionOf = ({ socket }: IncomingMessage) => connections.get(socket);
  const api = await membershipApi({ ...input, connectionOf });
  return new DeviceEndpoints({
    ...input,
    keyOf: (mesh) => mesh,
    endpointAt: (mesh) =>
      meshEndpoint({
        ...input,
        network: mesh.network,
        machine: 'host0',
        port: MEMBERSHIP_PORT,
        service: 'membership',
        openListener: boundListener,
        handler: (request, response) => api.handle(request, response),
        onConnection: (socket) => connections.set(socket, { mesh, peer: socket.remoteAddress ?? '' }),
        onHearing: (hearing) => mesh.hear(hearing),
      }),
  });
}
