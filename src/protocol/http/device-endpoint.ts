/** An HTTP server that answers at one address on one device only. */
import type { ServerOptions } from 'node:http';
import type { Finding } from '../documents/finding.ts';
import {
  DeviceListener,
  type DeviceListenerInput,
  type ListenerLimits,
  type ListeningServer,
} from './device-listener.ts';
import { createServer } from './http.ts';
import type { Places } from './places.ts';
import { type RequestHandler, requestListener } from './request-handler.ts';

/** Bounds on what strangers can use up, with those of HTTP. */
export interface EndpointLimits extends ListenerLimits {
  readonly http: ServerOptions;
}

/** Where a DeviceEndpoint listens, and how. */
export interface DeviceEndpointInput extends Omit<DeviceListenerInput, 'limits' | 'openServer'> {
  readonly limits: EndpointLimits;
  readonly handler: RequestHandler;
  /** Called with what a handler threw and is no MeshError. The requester gets it as the answer. */
  readonly onFault: (thrown: unknown) => void;
}

/** One endpoint. It does nothing before `follow` gives it the index of its device. */
export class DeviceEndpoint {
  readonly #listener: DeviceListener;

  constructor(input: DeviceEndpointInput) {
    this.#listener = new DeviceListener({ ...input, openServer: (places) => httpServer(input, places) });
  }

  get device(): string {
    return this.#listener.device;
  }

  /** Listens on the device with this index; undefined while there is no such device. */
  follow(index: number | undefined): void {
    this.#listener.follow(index);
  }

  close(): void {
    this.#listener.close();
  }

  /** A finding for each kind of peers that have taken all connections for them. */
  health(): Finding[] {
    return this.#listener.health();
  }
}

function httpServer({ handler, onFault, limits, ...listener }: DeviceEndpointInput, places: Places): ListeningServer {
  const server = createServer(
    limits.http,
    requestListener({
      listener,
      onFault,
      handler: (request, response) => {
        if (places.begin(request, response)) return handler(request, response);
        // Requests that do not wait for the answer before (pipelining) would make any number of answers in memory.
        request.socket.destroy();
        return undefined;
      },
    }),
  );
  return { server, closeAllConnections: () => server.closeAllConnections() };
}
