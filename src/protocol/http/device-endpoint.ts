/**
 * An HTTP server that answers at one address on one device, and on no other: in a mesh on its bridge, on a segment on the
 * port of host0's there. The socket belongs to the device's index, and is made anew when the device is.
 */
import type { RequestListener, Server, ServerOptions } from 'node:http';
import type { Socket } from 'node:net';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Alarm, Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { createServer } from './http.ts';

/**
 * Makes a listening TCP socket that hears what comes in on the device and nothing else (kernel/sockets/listener.ts).
 * @returns its file descriptor
 */
export type OpenListener = (
  place: Pick<DeviceEndpointInput, 'address' | 'port' | 'device'> & Pick<EndpointLimits, 'backlog' | 'sendTimeoutMs'>,
) => number;

export interface EndpointLimits {
  readonly connections: number;
  /** Of those of one peer beyond these the oldest is ended: who was cut off is not locked out by its own dead ones. */
  readonly connectionsPerPeer: number;
  /** Connections that may wait to be accepted; the kernel takes at most net.core.somaxconn. */
  readonly backlog: number;
  /** Of an answer a peer takes nothing for so long: its connection ends. Without it, it may keep it for ever. */
  readonly sendTimeoutMs?: number;
  readonly http: ServerOptions;
}

export interface DeviceEndpointInput {
  readonly device: string;
  readonly address: Ipv4 | Ipv6;
  readonly port: number;
  readonly limits: EndpointLimits;
  readonly openListener: OpenListener;
  readonly handler: RequestListener;
  readonly clock: Clock;
  /** It does not listen; told once until it does. It goes on trying. */
  readonly onFailure: (error: MeshError) => void;
  readonly onConnection?: (socket: Socket) => void;
  /** Whether it can be reached now. */
  readonly onHearing?: (hearing: boolean) => void;
}

const RETRY_MS = 500;

export class DeviceEndpoint {
  readonly #input: DeviceEndpointInput;
  readonly #peers = new Map<string, Set<Socket>>();
  #server: Server | undefined;
  /** Index of the device that the socket is bound to. */
  #index: number | undefined;
  #retry: Alarm | undefined;
  #failing = false;

  constructor(input: DeviceEndpointInput) {
    this.#input = input;
  }

  get device(): string {
    return this.#input.device;
  }

  /** Listens if the device has an index now; a socket that is bound to an earlier one hears nothing any more. */
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
    const { address, port, device, limits, openListener, handler, onHearing, onConnection, clock } = this.#input;
    try {
      const fd = openListener({ address, port, device, ...limits });
      const server = createServer(limits.http, handler);
      server.maxConnections = limits.connections;
      server.on('connection', (socket) => {
        this.#keepNewest(socket);
        onConnection?.(socket);
      });
      server.on('error', (error) => this.#failed(error));
      this.#server = server;
      // Node listens once more, with a backlog of 511 unless told.
      server.listen({ fd }, limits.backlog, () => {
        if (this.#server !== server) return;
        this.#failing = false;
        onHearing?.(true);
      });
    } catch (error) {
      this.#failed(error);
      // The device may be between two lives, or the address another's for a moment.
      this.#retry = clock.after(RETRY_MS, () => this.#listen());
    }
  }

  #stop(): void {
    this.#retry?.cancel();
    if (this.#server === undefined) return;
    this.#input.onHearing?.(false);
    this.#server.close();
    this.#server.closeAllConnections();
    this.#server = undefined;
  }

  #keepNewest(socket: Socket): void {
    const peer = socket.remoteAddress ?? '';
    const open = this.#peers.get(peer) ?? new Set();
    this.#peers.set(peer, open.add(socket));
    const [oldest] = open;
    if (open.size > this.#input.limits.connectionsPerPeer) oldest?.destroy();
    socket.on('close', () => {
      open.delete(socket);
      if (open.size === 0 && this.#peers.get(peer) === open) this.#peers.delete(peer);
    });
  }

  #failed(thrown: unknown): void {
    if (this.#failing) return;
    this.#failing = true;
    this.#input.onFailure(MeshError.from(thrown));
  }
}
