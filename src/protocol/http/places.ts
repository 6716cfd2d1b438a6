/**
 * The connections of one endpoint. Members have places of their own, which strangers cannot take; strangers have a few,
 * so that a machine can join.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../../model/clock.ts';
import { Place } from './place.ts';
import { type Origin, type PlaceLimits, PlacePool } from './place-pool.ts';

/** Whose connections they are, and how many there may be. */
export interface PlacesInput {
  readonly limits: PlaceLimits & { readonly strangers?: PlaceLimits };
  readonly clock: Clock;
  /** Whether an IP address is a member's now. Absent: strangers and members are not told apart. */
  readonly isMember?: ((peer: string) => boolean) | undefined;
  readonly originOf?: ((peer: string) => Promise<Origin>) | undefined;
}

/** A pool without a free place. */
export interface FullPlaces {
  readonly who: 'members' | 'strangers' | 'clients';
  readonly places: number;
  /** Who has the most, in words: `02:00:00:00:00:07 behind 10.11.1.3`. */
  readonly most: string;
}

/** Keeps the places of all connections. */
export class Places {
  readonly #isMember: (peer: string) => boolean;
  readonly #isTold: boolean;
  readonly #clock: Clock;
  readonly #members: PlacePool;
  readonly #strangers: PlacePool;
  readonly #bySocket = new WeakMap<Socket, Place>();

  constructor({ limits, clock, isMember, originOf }: PlacesInput) {
    this.#isTold = isMember !== undefined;
    this.#isMember = isMember ?? (() => false);
    this.#clock = clock;
    this.#members = new PlacePool({ limits, clock, originOf });
    this.#strangers = new PlacePool({ limits: limits.strangers ?? limits, clock, originOf });
  }

  /** Gives a new connection a place. */
  take(socket: Socket): void {
    const place = new Place(socket, this.#clock.nowMs());
    this.#bySocket.set(socket, place);
    socket.once('close', () => this.release(socket));
    if (this.#isMember(place.peer)) {
      this.#members.give(place);
      return;
    }
    if (this.#strangers.size >= this.#strangers.limit) this.#moveNewMembers();
    this.#strangers.give(place);
  }

  /** Takes the place of a connection back, which goes on elsewhere. */
  release(socket: Socket): void {
    const place = this.#bySocket.get(socket);
    if (place === undefined) return;
    this.#members.leave(place);
    this.#strangers.leave(place);
  }

  /** Notes a request. @returns false when an earlier request on this connection is still under way */
  begin(request: IncomingMessage, response: ServerResponse): boolean {
    return this.#bySocket.get(request.socket)?.begin(request, response) ?? false;
  }

  /** The pools that are full now, or were within the last minute. */
  full(): FullPlaces[] {
    const named = [
      ['members', this.#members],
      [this.#isTold ? 'strangers' : 'clients', this.#strangers],
    ] as const;
    return named.flatMap(([who, pool]) => (pool.isFull ? [{ who, places: pool.limit, most: pool.greatest }] : []));
  }

  /** Connections of machines that have become members since they connected count as members' from now on. */
  #moveNewMembers(): void {
    for (const place of [...this.#strangers.places]) {
      if (!this.#isMember(place.peer)) continue;
      this.#strangers.leave(place);
      this.#members.give(place);
    }
  }
}
