/** host0's listening socket in one mesh, on the bridge's device and on no other. */
import type { RequestListener, Server } from 'node:http';
import type { Socket } from 'node:net';
import { boundListener } from '../kernel/listener.ts';
import type { Alarm, Clock } from '../model/clock.ts';
import { MeshError } from '../model/error.ts';
import { memberAddresses } from '../model/member.ts';
import { MEMBERSHIP_PORT, type Network } from '../model/network.ts';
import type { Journal } from '../protocol/event.ts';
import { createServer } from '../protocol/http.ts';

export interface MeshListenerInput {
  readonly network: Network;
  readonly handler: RequestListener;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly onConnection: (socket: Socket) => void;
  /** Whether members can reach host0 now. */
  readonly onHearing: (hearing: boolean) => void;
}

const RETRY_MS = 500;
/** A stream and a few requests of each member of the largest mesh. */
const CONNECTIONS_MAX = 8192;
/** Connections that may wait to be accepted: all members may come at once. The kernel takes no more (net.core.somaxconn). */
const BACKLOG = 4096;
/** One member holds a stream and a connection for reports; the rest is left over from partitions. */
const CONNECTIONS_PER_PEER = 16;
const LIMITS = {
  maxHeaderSize: 4096,
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  /** Longer than the time between two reports, so that they share a connection. */
  keepAliveTimeout: 15_000,
  connectionsCheckingInterval: 1_000,
} as const;

export class MeshListener {
  readonly #input: MeshListenerInput;
  readonly #peers = new Map<string, Set<Socket>>();
  #server: Server | undefined;
  /** Index of the bridge that the socket is bound to. */
  #index: number | undefined;
  #retry: Alarm | undefined;

  constructor(input: MeshListenerInput) {
    this.#input = input;
  }

  /** Listens on the bridge if it has an index now; a socket that is bound to an earlier one hears nothing any more. */
  follow(index: number | undefined): void {
    if (index === this.#index) return;
    this.#stop();
    this.#index = index;
    if (index !== undefined) this.#listen();
  }

  close(): void {
    this.follow(undefined);
  }

  #listen(): void {
    const { network, handler, onHearing, onConnection, clock } = this.#input;
    const { ipv6 } = memberAddresses(network, 'host0');
    try {
      const fd = boundListener({
        address: ipv6,
        port: MEMBERSHIP_PORT,
        device: network.devices.bridge,
        backlog: BACKLOG,
      });
      const server = createServer(LIMITS, handler);
      server.maxConnections = CONNECTIONS_MAX;
      server.on('connection', (socket) => {
        this.#keepNewest(socket);
        onConnection(socket);
      });
      server.on('error', (error) => this.#failed(error));
      this.#server = server;
      // Node listens once more, with a backlog of 511 unless told.
      server.listen({ fd }, BACKLOG, () => {
        if (this.#server === server) onHearing(true);
      });
    } catch (error) {
      if (this.#retry === undefined) this.#failed(error);
      // The device may be between two lives.
      this.#retry = clock.after(RETRY_MS, () => this.#listen());
    }
  }

  #stop(): void {
    this.#retry?.cancel();
    this.#retry = undefined;
    if (this.#server === undefined) return;
    this.#input.onHearing(false);
    this.#server.close();
    this.#server.closeAllConnections();
    this.#server = undefined;
  }

  /** A member that was cut off and came back must not be locked out by its own dead connections. */
  #keepNewest(socket: Socket): void {
    const peer = socket.remoteAddress ?? '';
    const open = this.#peers.get(peer) ?? new Set();
    this.#peers.set(peer, open.add(socket));
    const [oldest] = open;
    if (open.size > CONNECTIONS_PER_PEER) oldest?.destroy();
    socket.on('close', () => {
      open.delete(socket);
      if (open.size === 0 && this.#peers.get(peer) === open) this.#peers.delete(peer);
    });
  }

  #failed(thrown: unknown): void {
    const { network, journal } = this.#input;
    const { code, message } = MeshError.from(thrown);
    journal.record({
      level: 'warning',
      kind: 'membership not served',
      message: `${network.name}: ${message}`,
      code,
      network: network.id,
      object: network.devices.bridge,
    });
  }
}
