/** One connection of an endpoint: it holds a place until it is closed. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** A client has sent its request within this time, also on a busy machine. Until then its connection is not idle. */
const YOUNG_MS = 1_000;

/** A place, and whether a request is under way on its connection. Its age counts from when it was given. */
export class Place {
  readonly socket: Socket;
  readonly peer: string;
  readonly sinceMs: number;
  #request: IncomingMessage | undefined;
  #response: ServerResponse | undefined;

  constructor(socket: Socket, sinceMs: number) {
    this.socket = socket;
    this.peer = socket.remoteAddress ?? '';
    this.sinceMs = sinceMs;
  }

  /** Whether a whole request has arrived, and its answer has not been handed to the kernel yet. */
  get isBusy(): boolean {
    const [request, response] = [this.#request, this.#response];
    return request?.complete === true && response !== undefined && !response.writableFinished && !response.closed;
  }

  /** A young connection is not idle, since its request may be on the way. */
  isIdle(nowMs: number): boolean {
    return !this.isBusy && nowMs - this.sinceMs >= YOUNG_MS;
  }

  /** @returns false when an earlier request on this connection is still under way */
  begin(request: IncomingMessage, response: ServerResponse): boolean {
    const isFree = this.#response === undefined || this.#response.writableFinished || this.#response.closed;
    if (isFree) [this.#request, this.#response] = [request, response];
    return isFree;
  }
}
