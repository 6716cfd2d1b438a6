/**
 * Serves metrics over TCP for Prometheus: inside one mesh, at this machine's address there, and nowhere else. Off
 * unless a network is named. Every machine in that mesh may read the metrics; they contain names of networks and
 * numbers, and no secret.
 */
import type { Mesh } from '../model/network/mesh.ts';
import type { Finding } from '../protocol/documents/finding.ts';
import type { EndpointLimits } from '../protocol/http/device-endpoint.ts';
import { DeviceEndpoints, type DeviceEndpointsInput } from '../protocol/http/device-endpoints.ts';
import { type MeshEndpointInput, meshEndpoint, meshEndpointKey } from '../protocol/http/mesh-endpoint.ts';
import { expose } from './exposition.ts';
import type { Registry } from './registry.ts';

/** Where to serve metrics, and which. */
interface MetricsEndpointInput
  extends Pick<MeshEndpointInput, 'machine' | 'port' | 'clock' | 'journal' | 'openListener'>,
    Pick<DeviceEndpointsInput<Mesh>, 'indexOf'> {
  /** Name of the network to serve in; without one, nothing is served. */
  readonly network: string | undefined;
  readonly registry: Registry;
}

/** Prometheus keeps one connection. The text is made anew for each request, and is the same for members and strangers. */
const LIMITS: EndpointLimits = {
  connections: 32,
  connectionsPerPeer: 4,
  backlog: 511,
  sendTimeoutMs: 10_000,
  http: {
    maxHeaderSize: 4096,
    headersTimeout: 5_000,
    requestTimeout: 10_000,
    /** Prometheus scrapes every 15 s to 60 s, and connects again when it must. */
    keepAliveTimeout: 75_000,
    connectionsCheckingInterval: 5_000,
  },
};

/** One HTTP listener in the named network: `GET /metrics`. It follows the network's device. */
export class MetricsEndpoint {
  readonly #input: MetricsEndpointInput;
  readonly #endpoints: DeviceEndpoints<Mesh>;
  #isMissing = false;

  constructor(input: MetricsEndpointInput) {
    this.#input = input;
    this.#endpoints = new DeviceEndpoints({
      ...input,
      keyOf: (network) => meshEndpointKey(network, input.machine),
      endpointAt: (network) =>
        meshEndpoint({
          ...input,
          network,
          service: 'metrics',
          limits: LIMITS,
          handler: ({ method, url, headers }, response) => {
            if (url !== '/metrics') response.writeHead(404).end();
            else if (method !== 'GET') response.writeHead(405, { allow: 'GET' }).end();
            else {
              const { contentType, body } = expose(input.registry, headers.accept);
              response.writeHead(200, { 'content-type': contentType }).end(body);
            }
          },
        }),
    });
  }

  /** Says when a few machines take all connections. */
  health(): readonly Finding[] {
    return this.#endpoints.health();
  }

  /**
   * Opens or closes the listener for the present networks and their devices. Records a warning when the named network
   * is not among them.
   */
  follow(networks: readonly Mesh[]): void {
    const { network: name, journal } = this.#input;
    if (name === undefined) return;
    const named = networks.filter((network) => network.name === name);
    this.#endpoints.serve(named);
    const isMissing = named.length === 0 && networks.length > 0;
    if (isMissing && !this.#isMissing) {
      journal.record({
        level: 'warning',
        kind: 'metrics not served',
        message: `there is no network ${JSON.stringify(name)} to serve metrics in`,
        object: name,
        remedy: `Name one of these: ${networks.map((other) => other.name).join(', ')}.`,
      });
    }
    this.#isMissing = isMissing;
  }

  close(): void {
    this.#endpoints.close();
  }
}
