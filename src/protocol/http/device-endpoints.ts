/** Several endpoints, in step with what is to be served and with the links that it is served on. */
import type { DeviceEndpoint } from './device-endpoint.ts';

export interface DeviceEndpointsInput<Place> {
  /** What makes it another place, at which the endpoint before is of no use. */
  readonly keyOf: (place: Place) => unknown;
  readonly endpointAt: (place: Place) => DeviceEndpoint;
  /** Index of the link of that name, if there is one. */
  readonly indexOf: (device: string) => number | undefined;
}

export class DeviceEndpoints<Place> {
  readonly #input: DeviceEndpointsInput<Place>;
  readonly #endpoints = new Map<unknown, DeviceEndpoint>();

  constructor(input: DeviceEndpointsInput<Place>) {
    this.#input = input;
  }

  /** Serves at these places and no others. */
  serve(places: readonly Place[]): void {
    const wanted = new Map(places.map((place) => [this.#input.keyOf(place), place]));
    for (const [key, endpoint] of this.#endpoints) {
      if (wanted.has(key)) continue;
      endpoint.close();
      this.#endpoints.delete(key);
    }
    for (const [key, place] of wanted)
      if (!this.#endpoints.has(key)) this.#endpoints.set(key, this.#input.endpointAt(place));
    this.linksChanged();
  }

  linksChanged(): void {
    for (const endpoint of this.#endpoints.values()) endpoint.follow(this.#input.indexOf(endpoint.device));
  }

  close(): void {
    this.serve([]);
  }
}
