/** host0's sockets in all meshes: one each, in step with the meshes and with the devices that they are bound to. */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Membership } from '../../controller/membership/membership.ts';
import { boundListener } from '../../kernel/sockets/listener.ts';
import type { ApiMetrics } from '../../metrics/api-metrics.ts';
import type { Clock } from '../../model/clock.ts';
import { MEMBERSHIP_PORT } from '../../model/network/network.ts';
import { DeviceDoors, type DeviceDoorsInput } from '../../protocol/http/device-doors.ts';
import { meshDoor } from '../../protocol/http/mesh-door.ts';
import type { Journal } from '../../protocol/journal/event.ts';
import { type Doorway, type MembershipApiInput, membershipApi } from './membership-api.ts';

export interface MeshDoorsInput extends Pick<DeviceDoorsInput<Membership>, 'indexOf'> {
  readonly clock: Clock;
  readonly journal: Journal;
  readonly metrics: ApiMetrics;
  readonly takeInventory: MembershipApiInput['takeInventory'];
}

export async function openMeshDoors(input: MeshDoorsInput): Promise<DeviceDoors<Membership>> {
  const doorways = new WeakMap<Socket, Doorway>();
  const doorwayOf = ({ socket }: IncomingMessage) => doorways.get(socket);
  const api = await membershipApi({ ...input, doorwayOf });
  return new DeviceDoors({
    ...input,
    keyOf: (mesh) => mesh,
    doorAt: (mesh) =>
      meshDoor({
        ...input,
        network: mesh.network,
        machine: 'host0',
        port: MEMBERSHIP_PORT,
        service: 'membership',
        openListener: boundListener,
        handler: (request, response) => api.handle(request, response),
        onConnection: (socket) => doorways.set(socket, { mesh, peer: socket.remoteAddress ?? '' }),
        onHearing: (hearing) => mesh.hear(hearing),
      }),
  });
}
