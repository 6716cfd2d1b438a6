/** The transfers of images that are under way: two who want the same image share one, which ends when the last of them leaves. */
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { ImageProgress } from '../../protocol/documents/workload/disk-image.ts';
import { TransferMeter } from './image-progress.ts';
import type { ShelvedImage } from './image-shelf.ts';
import { Turnstile } from './turnstile.ts';

/** A request for an image that is not there. */
export interface FlightOrder {
  /** The spelling of the source. */
  readonly named: string;
  /** The hash that is wanted. */
  readonly wanted: string | undefined;
  readonly onProgress?: ((progress: ImageProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Fetches the image. @param signal ends the transfer */
export type FlightWork = (meter: TransferMeter, signal: AbortSignal) => Promise<ShelvedImage>;

interface Flight {
  readonly source: string;
  readonly done: Promise<ShelvedImage>;
  readonly listeners: Set<(progress: ImageProgress) => void>;
  readonly meter: TransferMeter;
  readonly stop: AbortController;
  waiting: number;
}

/** Two fill a line; more would only take longer each. */
const TRANSFERS_MAX = 2;

/** Starts, shares and ends transfers. */
export class ImageFlights {
  readonly #clock: Clock;
  readonly #flights = new Map<string, Flight>();
  /** Transfers that nobody waits for any more, and that have not ended yet. */
  readonly #leaving = new Map<string, Promise<unknown>>();
  readonly #turnstile = new Turnstile(TRANSFERS_MAX);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get all(): readonly Pick<Flight, 'source' | 'meter'>[] {
    return [...this.#flights.values()];
  }

  /** Waits for the image with all others who want it. @param work starts the transfer, if there is none. @throws MESH_DISK_IMAGE_FETCH */
  async join({ named, wanted, onProgress, signal }: FlightOrder, work: FlightWork): Promise<ShelvedImage> {
    const key = JSON.stringify([named, wanted]);
    const flight = this.#flights.get(key) ?? this.#begin(key, named, work);
    if (onProgress !== undefined) flight.listeners.add(onProgress);
    flight.waiting++;
    const left = Promise.withResolvers<never>();
    const leave = (): void =>
      left.reject(new MeshError('MESH_DISK_IMAGE_FETCH', `nobody waits for ${named} any more`, { object: named }));
    signal?.addEventListener('abort', leave, { once: true });
    if (signal?.aborted) leave();
    try {
      return await Promise.race([flight.done, left.promise]);
    } finally {
      signal?.removeEventListener('abort', leave);
      if (onProgress !== undefined) flight.listeners.delete(onProgress);
      flight.waiting--;
      if (flight.waiting === 0) this.#end(key, flight);
    }
  }

  #begin(key: string, named: string, work: FlightWork): Flight {
    const listeners: Flight['listeners'] = new Set();
    const meter = new TransferMeter(this.#clock, (progress) => {
      for (const listener of listeners) listener(progress);
    });
    const stop = new AbortController();
    // One after the other: two transfers of one request would share their part.
    const done = Promise.resolve(this.#leaving.get(key)).then(() =>
      this.#turnstile.pass(async () => {
        stop.signal.throwIfAborted();
        return work(meter, stop.signal);
      }),
    );
    const flight: Flight = { source: named, done, listeners, meter, stop, waiting: 0 };
    this.#flights.set(key, flight);
    done.catch(() => undefined).finally(() => this.#forget(key, flight));
    return flight;
  }

  /** Ends a transfer that nobody waits for: a later request begins its own one. */
  #end(key: string, flight: Flight): void {
    flight.stop.abort();
    if (!this.#forget(key, flight)) return;
    const ended: Promise<unknown> = flight.done
      .catch(() => undefined)
      .finally(() => {
        if (this.#leaving.get(key) === ended) this.#leaving.delete(key);
      });
    this.#leaving.set(key, ended);
  }

  #forget(key: string, flight: Flight): boolean {
    return this.#flights.get(key) === flight && this.#flights.delete(key);
  }
}
