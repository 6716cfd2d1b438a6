/**
 * Tells many streams, and leaves time for everything else. What comes up while they are told, and for as long again,
 * waits and goes out in one write to each: with one node joining, all know it at once; with thousands joining at once,
 * host0 spends half its time on telling them of each other and not all of it.
 */
import type { EventStream } from '../protocol/event-stream.ts';
import type { SseMessage } from '../protocol/sse.ts';

export class Herald {
  #waiting = new Map<EventStream, SseMessage[]>();
  #busy = false;

  /** Messages for one stream keep their order. */
  tell(stream: EventStream, message: SseMessage): void {
    const messages = this.#waiting.get(stream);
    if (messages === undefined) this.#waiting.set(stream, [message]);
    else messages.push(message);
    if (this.#busy) return;
    this.#busy = true;
    // After whatever else has come up by now: one transaction of the store may bring many changes.
    setImmediate(() => this.#tellAll());
  }

  /** Nothing more is for this stream. */
  forget(stream: EventStream): void {
    this.#waiting.delete(stream);
  }

  #tellAll(): void {
    const waiting = this.#waiting;
    this.#waiting = new Map();
    const startMs = performance.now();
    for (const [stream, messages] of waiting) stream.send(...messages);
    // Node writes to the sockets when this is over; the time that they take is known after that.
    setImmediate(() => setTimeout(() => this.#rested(), performance.now() - startMs));
  }

  #rested(): void {
    if (this.#waiting.size > 0) this.#tellAll();
    else this.#busy = false;
  }
}
