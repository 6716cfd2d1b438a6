/** A listening HTTP socket in one mesh, on the bridge's device and on no other. */
import type { RequestListener, Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Alarm, Clock } from '../model/clock.ts';
import { MeshError } from '../model/error.ts';
import type { Ipv6 } from '../model/ipv6.ts';
import type { Network } from '../model/network.ts';
import type { Journal } from './event.ts';
import { createServer } from './http.ts';

/**
 * Makes a listening TCP socket that hears what comes in on the device and nothing else (kernel/listener.ts).
 * @returns its file descriptor
 */
export type OpenListener = (place: {
  readonly address: Ipv6;
  readonly port: number;
  readonly device: string;
  /** Connections that may wait to be accepted. */
  readonly backlog: number;
}) => number;

export interface MeshListenerInput {
  readonly network: Network;
  /** This machine's own in the mesh. */
  readonly address: Ipv6;
  readonly port: number;
  /** What it serves: `membership not served`. */
  readonly service: string;
  readonly openListener: OpenListener;
  readonly handler: RequestListener;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly onConnection?: (socket: Socket) => void;
  /** Whether members can reach it now. */
  readonly onHearing?: (hearing: boolean) => void;
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
    const { network, address, port, openListener, handler, onHearing, onConnection, clock } = this.#input;
    try {
      const fd = openListener({ address, port, device: network.devices.bridge, backlog: BACKLOG });
      const server = createServer(LIMITS, handler);
      server.maxConnections = CONNECTIONS_MAX;
      server.on('connection', (socket) => {
        this.#keepNewest(socket);
        onConnection?.(socket);
      });
      server.on('error', (error) => this.#failed(error));
      this.#server = server;
      // Node listens once more, with a backlog of 511 unless told.
      server.listen({ fd }, BACKLOG, () => {
        if (this.#server === server) onHearing?.(true);
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
    this.#input.onHearing?.(false);
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
    const { network, service, journal } = this.#input;
    const { code, message } = MeshError.from(thrown);
    journal.record({
      level: 'warning',
      kind: `${service} not served`,
      message: `${network.name}: ${message}`,
      code,
      network: network.id,
      object: network.devices.bridge,
    });
  }
}
