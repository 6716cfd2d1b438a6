/**
 * The agent's HTTP endpoint inside each mesh. Members get the node's part of a path; no request changes anything. The socket is bound to the node's address in the mesh and to the bridge. The strict-host
 * rule of the mesh lets no packet from other links reach that address, and callers that are not members get 403.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { boundListener } from '../../kernel/sockets/listener.ts';
import type { Alarm } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { Finding } from '../../protocol/documents/finding.ts';
import { AGENT_PORT } from '../../protocol/documents/tcp-ports.ts';
import type { EndpointLimits } from '../../protocol/http/device-endpoint.ts';
import { DeviceEndpoints } from '../../protocol/http/device-endpoints.ts';
import { http1Response, sendError } from '../../protocol/http/exchange.ts';
import { meshEndpoint, meshEndpointKey } from '../../protocol/http/mesh-endpoint.ts';
import type { Origin } from '../../protocol/http/place-pool.ts';
import type { Agent } from '../agent.ts';

/** Few connections are enough: traces are started by people, and each request has its own connection. */
const LIMITS: EndpointLimits = {
  connections: 64,
  connectionsPerPeer: 16,
  /** Strangers get nothing but a refusal. They have places so that they are told so, and are counted. */
  strangers: { connections: 16, connectionsPerPeer: 4 },
  backlog: 511,
  http: {
    keepAlive: false,
    maxHeaderSize: 4096,
    headersTimeout: 5_000,
    requestTimeout: 5_000,
    connectionsCheckingInterval: 5_000,
  },
};
/** New networks change hundreds of links at once. */
const FOLLOW_MS = 20;

/** Answers one request. The caller is a member of `caller.network`. */
export type PeerHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  caller: { readonly network: Mesh },
) => unknown;

/** One endpoint in each network whose bridge exists. They follow the agent's links and networks until `close`. */
export class PeerEndpoints {
  readonly #agent: Agent;
  readonly #handler: PeerHandler;
  readonly #endpoints: DeviceEndpoints<Mesh>;
  readonly #subscriptions: readonly (() => void)[];
  #soon: Alarm | undefined;

  constructor(agent: Agent, handler: PeerHandler, originOf: (network: Mesh, peer: string) => Promise<Origin>) {
    this.#agent = agent;
    this.#handler = handler;
    this.#endpoints = new DeviceEndpoints({
      keyOf: (network) => meshEndpointKey(network, agent.input.machine),
      indexOf: (device) => agent.reconciler.cache.linkNamed(device)?.index,
      endpointAt: (network) =>
        meshEndpoint({
          ...agent.input,
          network,
          port: AGENT_PORT,
          service: 'paths',
          limits: LIMITS,
          openListener: boundListener,
          isMember: (peer) => this.#networkOf(network.id, peer) !== undefined,
          originOf: (peer) => originOf(network, peer),
          handler: (request, response) => this.#answer(network.id, request, response),
        }),
    });
    this.#subscriptions = [agent.linkChanges, agent.networkChanges].map((changes) =>
      changes.subscribe(() => this.follow()),
    );
  }

  /**
   * Opens and closes endpoints after a short pause, so that each network with a bridge has one. Link and network
   * changes trigger it automatically; call it once at the start.
   */
  follow(): void {
    this.#soon ??= this.#agent.input.clock.after(FOLLOW_MS, () => {
      this.#soon = undefined;
      this.#endpoints.serve(this.#agent.source.networks);
    });
  }

  /** The findings of the endpoints: who takes all connections. */
  health(): readonly Finding[] {
    return this.#endpoints.health();
  }

  close(): void {
    for (const end of this.#subscriptions) end();
    this.#soon?.cancel();
    this.#endpoints.close();
  }

  #answer(id: NetworkId, request: IncomingMessage, response: ServerResponse): unknown {
    const peer = request.socket.remoteAddress ?? '';
    const network = this.#networkOf(id, peer);
    response.setHeader('connection', 'close');
    if (network === undefined) {
      const error = new MeshError('MESH_MEMBER_NOT_ALLOWED', 'this node answers only members of the mesh', {
        object: peer,
      });
      return sendError(http1Response(response), error);
    }
    return this.#handler(request, response, { network });
  }

  /** The network with this id, if `peer` is a member of it. */
  #networkOf(id: NetworkId, peer: string): Mesh | undefined {
    const attachment = this.#agent.source.attachments().find(({ network }) => network.id === id);
    return attachment?.members.some(({ ipv6 }) => ipv6 === peer) ? attachment.network : undefined;
  }
}
