/** A set of endpoints, one for each target (a mesh, a segment), that follows the targets and the links. */
import type { Finding } from '../documents/finding.ts';
import type { DeviceListener } from './device-listener.ts';

/** One endpoint of a set: it follows the index of its device. */
export type FollowingEndpoint = Pick<DeviceListener, 'device' | 'follow' | 'close' | 'health'>;

/** How the endpoints of a set are made. `Target` is a mesh or a segment. */
export interface DeviceEndpointsInput<Target> {
  /** Targets with the same key share an endpoint; a target with a new key gets a new one. */
  readonly keyOf: (target: Target) => unknown;
  readonly endpointAt: (target: Target) => FollowingEndpoint;
  /** Index of the link of that name, if there is one. */
  readonly indexOf: (device: string) => number | undefined;
}

/** Opens and closes the endpoints of a changing list of targets. */
export class DeviceEndpoints<Target> {
  readonly #input: DeviceEndpointsInput<Target>;
  readonly #endpoints = new Map<unknown, FollowingEndpoint>();

  constructor(input: DeviceEndpointsInput<Target>) {
    this.#input = input;
  }

  /** Serves these targets and no others. */
  serve(targets: readonly Target[]): void {
    const wanted = new Map(targets.map((target) => [this.#input.keyOf(target), target]));
    for (const [key, endpoint] of this.#endpoints) {
      if (wanted.has(key)) continue;
      endpoint.close();
      this.#endpoints.delete(key);
    }
    for (const [key, target] of wanted)
      if (!this.#endpoints.has(key)) this.#endpoints.set(key, this.#input.endpointAt(target));
    this.linksChanged();
  }

  /** Must be called when links come or go: endpoints listen on the new indexes. */
  linksChanged(): void {
    for (const endpoint of this.#endpoints.values()) endpoint.follow(this.#input.indexOf(endpoint.device));
  }

  /** The findings of all endpoints. */
  health(): readonly Finding[] {
    return [...this.#endpoints.values()].flatMap((endpoint) => endpoint.health());
  }

  close(): void {
    this.serve([]);
  }
}
