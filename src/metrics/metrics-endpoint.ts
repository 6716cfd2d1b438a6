/**
 * Metrics for a Prometheus that asks over TCP: inside one mesh, at this machine's own address there, and nowhere else.
 * Off unless a network is named. Whoever is in that mesh may read them; they name networks and count, and hold no secret.
 */
import type { Network } from '../model/network/network.ts';
import { DeviceEndpoints, type DeviceEndpointsInput } from '../protocol/http/device-endpoints.ts';
import { type MeshEndpointInput, meshEndpoint, meshEndpointKey } from '../protocol/http/mesh-endpoint.ts';
import { expose } from './exposition.ts';
import type { Registry } from './registry.ts';

export interface MetricsEndpointInput
  extends Pick<MeshEndpointInput, 'machine' | 'port' | 'clock' | 'journal' | 'openListener'>,
    Pick<DeviceEndpointsInput<Network>, 'indexOf'> {
  /** Name of the network; undefined: no endpoint. */
  readonly network: string | undefined;
  readonly registry: Registry;
}

export class MetricsEndpoint {
  readonly #input: MetricsEndpointInput;
  readonly #endpoints: DeviceEndpoints<Network>;
  #missed = false;

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

  /** Takes the networks that there are now, and the links that they have. */
  follow(networks: readonly Network[]): void {
    const { network: name, journal } = this.#input;
    if (name === undefined) return;
    const named = networks.filter((network) => network.name === name);
    this.#endpoints.serve(named);
    const missed = named.length === 0 && networks.length > 0;
    if (missed && !this.#missed) {
      journal.record({
        level: 'warning',
        kind: 'metrics not served',
        message: `there is no network ${JSON.stringify(name)} to serve metrics in`,
        object: name,
        remedy: `Name one of these: ${networks.map((other) => other.name).join(', ')}.`,
      });
    }
    this.#missed = missed;
  }

  close(): void {
    this.#endpoints.close();
  }
}
