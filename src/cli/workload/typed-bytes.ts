/** What goes to a guest, in requests. */
import type { Readable } from 'node:stream';
import { CONSOLE_INPUT_MAX_BYTES } from '../../protocol/documents/workload/console.ts';

/** Where bytes come from, and where they go. */
export interface TypedBytesInput {
  /** Sends one piece, and resolves when the guest has taken the piece. */
  readonly send: (piece: { readonly base64: string }) => Promise<unknown>;
  /** Is held still while much waits. Undefined: nothing comes. */
  readonly source: Pick<Readable, 'pause' | 'resume'> | undefined;
  /** Called with the error of `send`; nothing is sent afterwards. */
  readonly failed: (error: unknown) => void;
}

/** Sends what is typed in its order: one request at a time, with all that has come meanwhile. */
export class TypedBytes {
  readonly #input: TypedBytesInput;
  #waiting: Buffer = Buffer.alloc(0);
  #sending: Promise<void> | undefined;

  constructor(input: TypedBytesInput) {
    this.#input = input;
  }

  /** Resolves when all has been sent. */
  get sent(): Promise<void> {
    return this.#sending ?? Promise.resolve();
  }

  push(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#waiting = Buffer.concat([this.#waiting, bytes]);
    // What comes from a file or from a viewer waits for the guest.
    if (this.#waiting.length > CONSOLE_INPUT_MAX_BYTES) this.#input.source?.pause();
    if (this.#sending !== undefined) return;
    this.#sending = this.#send().finally(() => {
      this.#sending = undefined;
    });
    this.#sending.catch(this.#input.failed);
  }

  async #send(): Promise<void> {
    const { send, source } = this.#input;
    while (this.#waiting.length > 0) {
      const bytes = this.#waiting.subarray(0, CONSOLE_INPUT_MAX_BYTES);
      this.#waiting = this.#waiting.subarray(bytes.length);
      await send({ base64: bytes.toString('base64') });
      if (this.#waiting.length <= CONSOLE_INPUT_MAX_BYTES) source?.resume();
    }
  }
}
