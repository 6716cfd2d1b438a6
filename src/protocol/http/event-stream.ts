/**
 * The sending end of server-sent events. It sends a comment every three seconds, and ends the stream of a receiver that
 * does not read.
 */
import type { Writable } from 'node:stream';
import { STREAM_COMMENT_MS, STREAM_SILENCE_MS } from '../documents/membership.ts';
import { formatSse, SSE_COMMENT, type SseMessage } from '../documents/sse.ts';

/** Room for several snapshots of the largest mesh. */
const BUFFER_MAX_BYTES = 4 * 1024 * 1024;

/** The body of one answer as a stream of events. */
export class EventStream {
  readonly #response: Writable;
  readonly #comment: NodeJS.Timeout;
  /** Since when bytes have been waiting for the receiver; undefined while none wait. */
  #stuckSinceMs: number | undefined;

  constructor(response: Writable) {
    this.#response = response;
    this.#comment = setInterval(() => this.#write(SSE_COMMENT), STREAM_COMMENT_MS).unref();
    response.on('close', () => clearInterval(this.#comment));
    // An error of the socket ends the stream, too; «close» follows.
    response.on('error', () => response.destroy());
  }

  send(message: SseMessage): void {
    this.#write(formatSse(message));
  }

  end(): void {
    // Node would send the end of the chunked body before the corked data.
    this.#release();
    this.#response.end();
  }

  /** Calls `listener` once, when the stream is over for any reason; at once if it is over. */
  onClose(listener: () => void): void {
    if (this.#response.closed) listener();
    else this.#response.once('close', listener);
  }

  #release(): void {
    if (this.#response.writableCorked > 0) this.#response.uncork();
  }

  #write(text: string): void {
    const response = this.#response;
    if (response.writableEnded || response.destroyed) return;
    const pending = response.writableLength;
    if (pending === 0) this.#stuckSinceMs = undefined;
    else this.#stuckSinceMs ??= performance.now();
    const stuck = this.#stuckSinceMs !== undefined && performance.now() - this.#stuckSinceMs > STREAM_SILENCE_MS;
    if (stuck || pending > BUFFER_MAX_BYTES) {
      response.destroy();
      return;
    }
    // All messages of one tick go out in one packet.
    if (response.writableCorked === 0) {
      response.cork();
      process.nextTick(() => this.#release());
    }
    response.write(text);
  }
}
