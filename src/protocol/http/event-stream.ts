/** The sending end of server-sent events: says something every three seconds, and lets go of whoever does not read. */
import type { ServerResponse } from 'node:http';
import { STREAM_COMMENT_MS, STREAM_SILENCE_MS } from '../documents/membership.ts';
import { formatSse, SSE_COMMENT, type SseMessage } from '../documents/sse.ts';

/** Several snapshots of the largest mesh. */
const BUFFER_MAX_BYTES = 4 * 1024 * 1024;

export class EventStream {
  readonly #response: ServerResponse;
  readonly #comment: NodeJS.Timeout;
  /** Since when there has been something that the other end does not take. */
  #stuckSinceMs: number | undefined;

  constructor(response: ServerResponse) {
    this.#response = response;
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.flushHeaders();
    this.#comment = setInterval(() => this.#write(SSE_COMMENT), STREAM_COMMENT_MS).unref();
    response.on('close', () => clearInterval(this.#comment));
    // The socket's own errors end it too, and «close» follows.
    response.on('error', () => response.destroy());
  }

  send(message: SseMessage): void {
    this.#write(formatSse(message));
  }

  end(): void {
    // Node would send the end of the chunked body before what is still held back.
    this.#release();
    this.#response.end();
  }

  /** Calls `listener` once, when the stream is over for whatever reason. */
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
    // What is sent in one go goes out in one packet.
    if (response.writableCorked === 0) {
      response.cork();
      process.nextTick(() => this.#release());
    }
    response.write(text);
  }
}
