/** host0's membership endpoints: one in each mesh, opened and closed with the meshes and their bridges. */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Membership } from '../../controller/membership/membership.ts';
import type { SourceVerification } from '../../controller/membership/source-verification.ts';
import { boundListener } from '../../kernel/sockets/listener.ts';
import type { ApiMetrics } from '../../metrics/api-metrics.ts';
import type { Clock } from '../../model/clock.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import { STREAM_SILENCE_MS } from '../../protocol/documents/membership.ts';
import { MEMBERSHIP_PORT } from '../../protocol/documents/tcp-ports.ts';
import type { EndpointLimits } from '../../protocol/http/device-endpoint.ts';
import { DeviceEndpoints, type DeviceEndpointsInput } from '../../protocol/http/device-endpoints.ts';
import { meshEndpoint } from '../../protocol/http/mesh-endpoint.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { type MembershipApiInput, type MeshConnection, membershipApi } from './membership-api.ts';
import { isMemberOf, originIn } from './mesh-peer.ts';
import { type OwnMember, OwnMemberSockets } from './own-member.ts';

const LIMITS: EndpointLimits = {
  /** Enough for a stream and a few requests of each member of the largest mesh. */
  connections: 8192,
  /** A member has one stream and one connection for reports; the others may be left over from partitions. */
  connectionsPerPeer: 16,
  /** A machine that joins has one connection, for some milliseconds. 256 idle connections take 4 MB. */
  strangers: { connections: 256, connectionsPerPeer: 4 },
  /** All members may connect at once. */
  backlog: 4096,
  /** A stream that the other end has not read for this long is dead for its agent, too. */
  sendTimeoutMs: STREAM_SILENCE_MS,
  http: {
    maxHeaderSize: 4096,
    headersTimeout: 5_000,
    requestTimeout: 10_000,
    /** Longer than the time between two reports, so that they share a connection. */
    keepAliveTimeout: 15_000,
    connectionsCheckingInterval: 1_000,
  },
};

/** What the endpoints need of host0. */
export interface MeshEndpointsInput extends Pick<DeviceEndpointsInput<Membership>, 'indexOf'> {
  readonly clock: Clock;
  readonly journal: Journal;
  readonly metrics: ApiMetrics;
  readonly verification: SourceVerification;
  readonly takeInventory: MembershipApiInput['takeInventory'];
  /** The device with host0's address in a mesh; the mesh's bridge when absent. */
  readonly deviceOf?: (network: Mesh) => string;
  /** The node on this machine, where several machines can be host0. */
  readonly own?: OwnMember | undefined;
}

/** The endpoints of all meshes. */
export type MeshEndpoints = Pick<DeviceEndpoints<Membership>, 'serve' | 'linksChanged' | 'health' | 'close'>;

/** The endpoints; they serve the meshes that are given to `serve`. */
export async function openMeshEndpoints(input: MeshEndpointsInput): Promise<MeshEndpoints> {
  const connections = new WeakMap<Socket, MeshConnection>();
  const connectionOf = ({ socket }: IncomingMessage) => connections.get(socket);
  const onFault = (thrown: unknown) => input.journal.faults.tell('request to a membership endpoint', thrown);
  const api = membershipApi({ ...input, connectionOf, onFault });
  const sockets =
    input.own &&
    new OwnMemberSockets({
      ...input,
      own: input.own,
      handle: (request, response) => api.handle(request, response),
      onConnection: (socket, connection) => connections.set(socket, connection),
    });
  const endpoints = new DeviceEndpoints<Membership>({
    ...input,
    keyOf: (mesh) => mesh,
    endpointAt: (mesh) =>
      meshEndpoint({
        ...input,
        network: mesh.network,
        machine: 'host0',
        port: MEMBERSHIP_PORT,
        service: 'membership',
        limits: LIMITS,
        openListener: boundListener,
        isMember: (peer) => isMemberOf(mesh, peer),
        originOf: (peer) => originIn(mesh, peer, input.verification),
        handler: (request, response) => api.handle(request, response),
        onConnection: (socket) => connections.set(socket, { mesh, peer: socket.remoteAddress ?? '' }),
        onHearing: (hearing) => mesh.hear(hearing),
      }),
  });
  return {
    serve: (meshes) => {
      endpoints.serve(meshes);
      sockets?.serve(meshes);
    },
    linksChanged: () => endpoints.linksChanged(),
    health: () => endpoints.health(),
    close: () => {
      endpoints.close();
      sockets?.serve([]);
    },
  };
}
