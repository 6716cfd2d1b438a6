/**
 * Disk images from host0's folder `isos`, over the node's channel. host0 opens one exchange, in which the node asks and host0 answers:
 * a line and the bytes behind it. A node without a boot NIC gets them, too, and nobody between the two can change them.
 */
import type { Readable, Writable } from 'node:stream';
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { FILE_LINE_MAX_LENGTH, FileHeadShape } from '../../protocol/shapes/disk-image-shape.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import type { OpenOrigin, OriginAnswer, OriginAsk } from './image-origin.ts';
import { Turnstile } from './turnstile.ts';

interface Exchange {
  readonly out: Writable;
  readonly body: AsyncIterator<Uint8Array>;
  /** What came behind what was read. */
  rest: Buffer;
}

/** So long the node waits for host0 to open the exchange. */
const EXCHANGE_MS = 15_000;

/** The node's end of the exchange. */
export class Host0Isos {
  readonly #clock: Clock;
  /** One file at a time: the exchange has one direction. */
  readonly #turns = new Turnstile(1);
  #exchange: Exchange | undefined;
  #waiting: (() => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Answers host0's request for as long as it lasts. */
  async serve(body: Readable, open: () => Writable): Promise<void> {
    const out = open();
    const exchange: Exchange = { out, body: body[Symbol.asyncIterator](), rest: Buffer.alloc(0) };
    const { promise, resolve } = Promise.withResolvers<void>();
    out.once('close', resolve);
    out.on('error', () => out.destroy());
    this.#exchange?.out.destroy();
    this.#exchange = exchange;
    for (const wake of this.#waiting.splice(0)) wake();
    await promise;
    if (this.#exchange === exchange) this.#exchange = undefined;
  }

  /** The origin of a file. @param path below `isos`. @param object how people name the image */
  origin(path: string, object: string): OpenOrigin {
    return async (ask) => {
      const { promise, resolve, reject } = Promise.withResolvers<OriginAnswer>();
      // The turn lasts until the file has been read, or is not wanted any more.
      const turn = this.#turns.pass(async () => {
        const exchange = await this.#standing(object, ask.signal);
        const done = Promise.withResolvers<void>();
        const leave = (): void => {
          // What is under way cannot be told from the next answer.
          exchange.out.destroy();
          done.resolve();
        };
        ask.signal.addEventListener('abort', leave, { once: true });
        if (ask.signal.aborted) leave();
        try {
          resolve(await this.#ask(exchange, path, object, ask, done.resolve));
          await done.promise;
        } finally {
          ask.signal.removeEventListener('abort', leave);
        }
      });
      turn.catch(reject);
      return promise;
    };
  }

  async #ask(
    exchange: Exchange,
    path: string,
    object: string,
    { firstByte, version }: OriginAsk,
    done: () => void,
  ): Promise<OriginAnswer> {
    exchange.out.write(`${JSON.stringify({ path, firstByte, ...(version !== undefined && { version }) })}\n`);
    const line = await lineOf(exchange);
    if (line === undefined) throw gone(object);
    const { document, fault } = readDocument(FileHeadShape, line, FILE_LINE_MAX_LENGTH);
    if (fault !== undefined) {
      exchange.out.destroy();
      throw new MeshError('MESH_HOST0_MALFORMED', `host0 answers a request for a file with a line that ${fault}`, {
        object: 'host0',
      });
    }
    if ('error' in document) {
      const { message, remedy } = document.error;
      throw new MeshError('MESH_DISK_IMAGE_FETCH', `host0 does not give ${object}: ${message}`, {
        object,
        remedy: remedy ?? 'Put the file into /host0/isos on host0.',
      });
    }
    const body = bytesOf(exchange, document.totalBytes - document.firstByte, object, done);
    return { ...document, body };
  }

  async #standing(object: string, signal: AbortSignal): Promise<Exchange> {
    if (this.#exchange === undefined) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const alarm = this.#clock.after(EXCHANGE_MS, resolve);
      this.#waiting.push(resolve);
      signal.addEventListener('abort', () => resolve(), { once: true });
      await promise;
      alarm.cancel();
    }
    if (this.#exchange === undefined) throw gone(object);
    return this.#exchange;
  }
}

/** The next line; undefined when the exchange has ended. */
async function lineOf(exchange: Exchange): Promise<string | undefined> {
  for (;;) {
    const end = exchange.rest.indexOf(0x0a);
    if (end >= 0) {
      const line = exchange.rest.toString('utf8', 0, end);
      exchange.rest = exchange.rest.subarray(end + 1);
      return line;
    }
    const chunk = exchange.rest.length > FILE_LINE_MAX_LENGTH ? undefined : await nextOf(exchange);
    if (chunk === undefined) return undefined;
    exchange.rest = Buffer.concat([exchange.rest, chunk]);
  }
}

async function* bytesOf(
  exchange: Exchange,
  count: number,
  object: string,
  done: () => void,
): AsyncGenerator<Uint8Array> {
  let left = count;
  while (left > 0) {
    const chunk = exchange.rest.length > 0 ? exchange.rest : await nextOf(exchange);
    if (chunk === undefined) throw gone(object);
    exchange.rest = Buffer.from(chunk.subarray(left));
    left -= Math.min(left, chunk.length);
    yield chunk.subarray(0, chunk.length - exchange.rest.length);
  }
  done();
}

async function nextOf({ body }: Exchange): Promise<Buffer | undefined> {
  const next = await body.next().catch(() => undefined);
  return next === undefined || next.done === true ? undefined : Buffer.from(next.value);
}

function gone(object: string): MeshError {
  return new MeshError('MESH_DISK_IMAGE_FETCH', `${object} cannot be fetched: this node has no channel to host0`, {
    object,
    remedy: 'See `mesh status` on the node. The transfer goes on when the channel stands.',
    retryable: true,
  });
}
