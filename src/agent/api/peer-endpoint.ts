/**
 * What an agent answers other members, inside each mesh: its part of a path, and to host0 what passes the node; nothing
 * that changes anything. The socket is bound to the node's address in the mesh and to the bridge; the strict-host rule of
 * the mesh keeps everybody else away from that address, and only members get an answer.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { boundListener } from '../../kernel/sockets/listener.ts';
import type { Alarm } from '../../model/clock.ts';
import type { Network, NetworkId } from '../../model/network/network.ts';
import { AGENT_PORT } from '../../protocol/documents/tcp-ports.ts';
import type { EndpointLimits } from '../../protocol/http/device-endpoint.ts';
import { DeviceEndpoints } from '../../protocol/http/device-endpoints.ts';
import { meshEndpoint, meshEndpointKey } from '../../protocol/http/mesh-endpoint.ts';
import type { Agent } from '../agent.ts';

/** Traces are asked for by people, and each question has a connection of its own. */
const LIMITS: EndpointLimits = {
  connections: 16,
  connectionsPerPeer: 16,
  backlog: 511,
  http: {
    keepAlive: false,
    maxHeaderSize: 4096,
    headersTimeout: 5_000,
    requestTimeout: 5_000,
    connectionsCheckingInterval: 1_000,
  },
};
/** Links change by the hundred when networks come. */
const FOLLOW_MS = 20;

/** Answers a member. @param peer its address, that is known to be a member's */
export type PeerHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  caller: { readonly network: Network; readonly peer: string },
) => unknown;

export class PeerEndpoints {
  readonly #agent: Agent;
  readonly #handler: PeerHandler;
  readonly #endpoints: DeviceEndpoints<Network>;
  readonly #subscriptions: readonly (() => void)[];
  #soon: Alarm | undefined;

  constructor(agent: Agent, handler: PeerHandler) {
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
          handler: (request, response) => this.#answer(network.id, request, response),
        }),
    });
    this.#subscriptions = [agent.linkChanges, agent.networkChanges].map((changes) =>
      changes.subscribe(() => this.follow()),
    );
  }

  /** Soon after, it listens in every network that has its bridge. It does so by itself when links or networks change. */
  follow(): void {
    this.#soon ??= this.#agent.input.clock.after(FOLLOW_MS, () => {
      this.#soon = undefined;
      this.#endpoints.serve(this.#agent.source.networks);
    });
  }

  close(): void {
    for (const end of this.#subscriptions) end();
    this.#soon?.cancel();
    this.#endpoints.close();
  }

  #answer(id: NetworkId, request: IncomingMessage, response: ServerResponse): void {
    const peer = request.socket.remoteAddress ?? '';
    const attachment = this.#agent.source.attachments().find(({ network }) => network.id === id);
    response.setHeader('connection', 'close');
    if (attachment?.members.some(({ ipv6 }) => ipv6 === peer)) {
      this.#handler(request, response, { network: attachment.network, peer });
      return;
    }
    response.writeHead(403).end('this node answers members of the mesh\n');
  }
}
