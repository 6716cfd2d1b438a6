/** Several doors, in step with what is to be served and with the links that it is served on. */
import type { DeviceDoor } from './device-door.ts';

export interface DeviceDoorsInput<Place> {
  /** What makes it another place, at which the door before is of no use. */
  readonly keyOf: (place: Place) => unknown;
  readonly doorAt: (place: Place) => DeviceDoor;
  /** Index of the link of that name, if there is one. */
  readonly indexOf: (device: string) => number | undefined;
}

export class DeviceDoors<Place> {
  readonly #input: DeviceDoorsInput<Place>;
  readonly #doors = new Map<unknown, DeviceDoor>();

  constructor(input: DeviceDoorsInput<Place>) {
    this.#input = input;
  }

  /** Serves at these places and no others. */
  serve(places: readonly Place[]): void {
    const wanted = new Map(places.map((place) => [this.#input.keyOf(place), place]));
    for (const [key, door] of this.#doors) {
      if (wanted.has(key)) continue;
      door.close();
      this.#doors.delete(key);
    }
    for (const [key, place] of wanted) if (!this.#doors.has(key)) this.#doors.set(key, this.#input.doorAt(place));
    this.linksChanged();
  }

  linksChanged(): void {
    for (const door of this.#doors.values()) door.follow(this.#input.indexOf(door.device));
  }

  close(): void {
    this.serve([]);
  }
}
