/**
 * Metrics for a Prometheus that asks over TCP: inside one mesh, at this machine's own address there, and nowhere else.
 * Off unless a network is named. Whoever is in that mesh may read them; they name networks and count, and hold no secret.
 */
import type { Network } from '../model/network/network.ts';
import { DeviceDoors, type DeviceDoorsInput } from '../protocol/http/device-doors.ts';
import { type MeshDoorInput, meshDoor, meshDoorKey } from '../protocol/http/mesh-door.ts';
import { expose } from './exposition.ts';
import type { Registry } from './registry.ts';

export interface MetricsDoorInput
  extends Pick<MeshDoorInput, 'machine' | 'port' | 'clock' | 'journal' | 'openListener'>,
    Pick<DeviceDoorsInput<Network>, 'indexOf'> {
  /** Name of the network; undefined: no door. */
  readonly network: string | undefined;
  readonly registry: Registry;
}

export class MetricsDoor {
  readonly #input: MetricsDoorInput;
  readonly #doors: DeviceDoors<Network>;
  #missed = false;

  constructor(input: MetricsDoorInput) {
    this.#input = input;
    this.#doors = new DeviceDoors({
      ...input,
      keyOf: (network) => meshDoorKey(network, input.machine),
      doorAt: (network) =>
        meshDoor({
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
    this.#doors.serve(named);
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
    this.#doors.close();
  }
}
