/**
 * A server that listens at one address on one device only: in a mesh on the mesh's bridge, on a segment on host0's NIC. A
 * bound socket belongs to the index of its device. When the device is recreated, the listener opens a new socket.
 */
import type { Server, Socket } from 'node:net';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Alarm, Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { Finding } from '../documents/finding.ts';
import { fullEndpointFinding } from './full-endpoint.ts';
import type { PlaceLimits } from './place-pool.ts';
import { Places, type PlacesInput } from './places.ts';

/**
 * Opens a listening TCP socket that accepts connections on the device only (kernel/sockets/listener.ts).
 * @returns its file descriptor
 */
export type OpenListener = (
  place: Pick<DeviceListenerInput, 'address' | 'port' | 'device'> & Pick<ListenerLimits, 'backlog' | 'sendTimeoutMs'>,
) => number;

/** Bounds on what strangers can use up. */
export interface ListenerLimits extends PlaceLimits {
  /** The limits of peers that are no members, where the endpoint can tell (`isMember`). */
  readonly strangers?: PlaceLimits;
  /** Connections that may wait to be accepted; the kernel takes at most net.core.somaxconn. */
  readonly backlog: number;
  /** A connection ends when its peer takes nothing of an answer for this long. Absent: no limit. */
  readonly sendTimeoutMs?: number;
}

/** A server for one socket. */
export interface ListeningServer {
  readonly server: Server;
  closeAllConnections(): void;
}

/** Where a DeviceListener listens, and how. */
export interface DeviceListenerInput extends Pick<PlacesInput, 'isMember' | 'originOf'> {
  /** The endpoint in the words of a finding: `membership endpoint of manage`. */
  readonly title: string;
  readonly device: string;
  readonly address: Ipv4 | Ipv6;
  readonly port: number;
  readonly limits: ListenerLimits;
  readonly openListener: OpenListener;
  readonly clock: Clock;
  /** Called when the endpoint cannot listen: once, until it listens again. The endpoint keeps trying. */
  readonly onFailure: (error: MeshError) => void;
  /** Called with each connection, which has a place then. */
  readonly onConnection?: (socket: Socket) => void;
  /** Called when the endpoint begins (true) and stops (false) to accept connections. */
  readonly onHearing?: (hearing: boolean) => void;
  /** Makes the server that takes the connections of one socket. `places` has a place for each. */
  readonly openServer: (places: Places) => ListeningServer;
}

const RETRY_MS = 500;

/** One listener. It does nothing before `follow` gives it the index of its device. */
export class DeviceListener {
  readonly #input: DeviceListenerInput;
  readonly #places: Places;
  #server: ListeningServer | undefined;
  /** Index of the device that the socket is bound to. */
  #index: number | undefined;
  #retry: Alarm | undefined;
  #failing = false;

  constructor(input: DeviceListenerInput) {
    this.#input = input;
    this.#places = new Places(input);
  }

  get device(): string {
    return this.#input.device;
  }

  /**
   * Listens on the device with this index; undefined while there is no such device. A socket that is bound to an earlier
   * index receives nothing and is closed.
   */
  follow(index: number | undefined): void {
    if (index === this.#index) return;
    this.#stop();
    this.#index = index;
    if (index !== undefined) this.#listen();
  }

  close(): void {
    this.follow(undefined);
  }

  /** A finding for each kind of peers that have taken all connections for them. */
  health(): Finding[] {
    return this.#places.full().map((full) => fullEndpointFinding(this.#input.title, full));
  }

  #listen(): void {
    const { address, port, device, limits, openListener, openServer, onHearing, onConnection, clock } = this.#input;
    try {
      const fd = openListener({ address, port, device, ...limits });
      const listening = openServer(this.#places);
      const { server } = listening;
      server.prependListener('connection', (socket) => {
        this.#places.take(socket);
        onConnection?.(socket);
      });
      server.on('error', (error) => this.#failed(error));
      this.#server = listening;
      // Node calls listen(2) again on the socket, with a backlog of 511 by default.
      server.listen({ fd }, limits.backlog, () => {
        if (this.#server !== listening) return;
        this.#failing = false;
        onHearing?.(true);
      });
    } catch (error) {
      this.#failed(error);
      // The device may be being recreated, or the address still be in use for a moment.
      this.#retry = clock.after(RETRY_MS, () => this.#listen());
    }
  }

  #stop(): void {
    this.#retry?.cancel();
    if (this.#server === undefined) return;
    this.#input.onHearing?.(false);
    this.#server.server.close();
    this.#server.closeAllConnections();
    this.#server = undefined;
  }

  #failed(thrown: unknown): void {
    if (this.#failing) return;
    this.#failing = true;
    this.#input.onFailure(MeshError.from(thrown));
  }
}
