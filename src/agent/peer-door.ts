/**
 * What an agent answers other members, inside each mesh: its part of a path, and to host0 what passes
 * the node; nothing that changes anything. The
 * socket is bound to the node's address in the mesh and to the bridge; the strict-host rule of the mesh keeps everybody
 * else away from that address, and only members get an answer.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { boundListener } from '../kernel/listener.ts';
import type { Alarm } from '../model/clock.ts';
import { MeshError } from '../model/error.ts';
import { memberAddresses } from '../model/member.ts';
import { AGENT_PORT, type Network } from '../model/network.ts';
import { createServer } from '../protocol/http.ts';
import type { Agent } from './agent.ts';

const LIMITS = {
  maxHeaderSize: 4096,
  headersTimeout: 5_000,
  requestTimeout: 5_000,
  connectionsCheckingInterval: 1_000,
} as const;
/** Traces are asked for by people. */
const CONNECTIONS_MAX = 16;
/** Links change by the hundred when networks come. */
const FOLLOW_MS = 20;

/** Answers a member. @param peer its address, that is known to be a member's */
export type PeerHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  caller: { readonly network: Network; readonly peer: string },
) => unknown;

interface Listener {
  /** Index of the bridge that the socket is bound to; it hears nothing any more once that is gone. */
  readonly index: number;
  readonly network: Network;
  readonly server: Server;
}

export class PeerDoors {
  readonly #agent: Agent;
  readonly #handler: PeerHandler;
  readonly #listeners = new Map<string, Listener>();
  #soon: Alarm | undefined;
  /** Networks of which it has been said that they cannot be served. */
  readonly #told = new Set<string>();

  constructor(agent: Agent, handler: PeerHandler) {
    this.#agent = agent;
    this.#handler = handler;
  }

  /** To be called whenever links or networks have changed: soon after, it listens where it should. */
  follow(): void {
    this.#soon ??= this.#agent.input.clock.after(FOLLOW_MS, () => {
      this.#soon = undefined;
      this.#follow();
    });
  }

  /** Listens in every network whose bridge is there, and nowhere else. */
  #follow(): void {
    const { source, reconciler } = this.#agent;
    const indexes = new Map([...reconciler.cache.links.values()].map(({ name, index }) => [name, index]));
    const wanted = new Map<string, { network: Network; index: number }>();
    for (const network of source.networks) {
      const index = indexes.get(network.devices.bridge);
      if (index !== undefined) wanted.set(network.id, { network, index });
    }
    for (const [id, listener] of this.#listeners) {
      const want = wanted.get(id);
      if (want?.index === listener.index && want.network.fabric.prefix === listener.network.fabric.prefix) continue;
      this.#close(id, listener);
    }
    for (const [id, { network, index }] of wanted) if (!this.#listeners.has(id)) this.#listen(network, index);
  }

  close(): void {
    this.#soon?.cancel();
    for (const [id, listener] of this.#listeners) this.#close(id, listener);
  }

  #listen(network: Network, index: number): void {
    const { machine } = this.#agent.input;
    const { ipv6: address } = memberAddresses(network, machine);
    try {
      const fd = boundListener({ address, port: AGENT_PORT, device: network.devices.bridge });
      const server = createServer({ ...LIMITS, keepAlive: false }, (request, response) => {
        this.#answer(network, request, response);
      });
      server.maxConnections = CONNECTIONS_MAX;
      server.on('error', (error) => this.#failed(network, error));
      server.listen({ fd });
      this.#listeners.set(network.id, { index, network, server });
      this.#told.delete(network.id);
    } catch (error) {
      // The device may be between two lives: its next event brings us here again.
      this.#failed(network, error);
    }
  }

  #answer(network: Network, request: IncomingMessage, response: ServerResponse): void {
    const peer = request.socket.remoteAddress ?? '';
    const attachment = this.#agent.source.attachments().find((candidate) => candidate.network.id === network.id);
    response.setHeader('connection', 'close');
    if (attachment?.members.some(({ ipv6 }) => ipv6 === peer)) {
      this.#handler(request, response, { network, peer });
      return;
    }
    response.writeHead(403).end('this node answers members of the mesh\n');
  }

  #close(id: string, { server }: Listener): void {
    server.close();
    server.closeAllConnections();
    this.#listeners.delete(id);
  }

  #failed(network: Network, thrown: unknown): void {
    if (this.#told.has(network.id)) return;
    this.#told.add(network.id);
    const { code, message } = MeshError.from(thrown);
    const { journal } = this.#agent.input;
    journal.record({ level: 'warning', kind: 'paths not shown', message, network: network.id, code });
  }
}
