/** host0's end of one channel: HTTP/2 on the connection of a node, with host0 as the client. */
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import type { Alarm, Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';
import { Signal, type Subscribable } from '../../model/signal.ts';
import { CHANNEL_SILENCE_MS, PING_MS } from '../../protocol/channel/channel-times.ts';
import { bodyText } from '../../protocol/channel/node-request.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import { ErrorShape } from '../../protocol/shapes/parts.ts';

/** A whole answer of a node. */
export interface NodeAnswer {
  readonly status: number;
  readonly text: string;
}

/** What a connection is made of. */
export interface NodeConnectionInput {
  readonly socket: TLSSocket;
  readonly machine: MachineId;
  readonly identity: string;
  readonly clock: Clock;
}

/** A node answers within this time, also when it makes two hundred networks at once. */
const ANSWER_MS = 30_000;
/** Answers but captures and the status are short. */
const ANSWER_MAX_BYTES = 4 * 1024 * 1024;
/** The memory of a session, in megabytes: streams that wait, headers, settings. */
const SESSION_MEMORY_MB = 16;

/** One authenticated connection. */
export class NodeConnection {
  readonly machine: MachineId;
  readonly identity: string;
  readonly address: string;
  readonly sinceMs: number;
  readonly #clock: Clock;
  readonly #session: ClientHttp2Session;
  readonly #ended: Promise<void>;
  readonly #signs = new Signal<void>();
  /** Emits when the node has answered a ping, which is each three seconds. */
  readonly signsOfLife: Subscribable<void> = this.#signs;
  #isOver = false;
  #ping: Alarm | undefined;
  #heardMs: number;

  constructor({ socket, machine, identity, clock }: NodeConnectionInput) {
    this.machine = machine;
    this.identity = identity;
    this.address = socket.remoteAddress ?? '';
    this.sinceMs = clock.nowMs();
    this.#heardMs = this.sinceMs;
    this.#clock = clock;
    this.#session = connect('http://node', {
      createConnection: () => socket,
      maxSessionMemory: SESSION_MEMORY_MB,
      settings: { enablePush: false },
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#ended = promise;
    // `close` follows each error.
    this.#session.on('error', () => this.#session.destroy());
    this.#session.once('close', () => {
      this.#isOver = true;
      this.#ping?.cancel();
      socket.destroy();
      resolve();
    });
  }

  /** Resolves when the connection has ended for any reason. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Pings the node from now on, and ends the connection when it is silent. */
  keepAlive(): void {
    this.#ping = this.#clock.after(PING_MS, () => {
      if (this.#isOver) return;
      if (this.#clock.nowMs() - this.#heardMs > CHANNEL_SILENCE_MS) {
        this.close();
        return;
      }
      this.#sendPing();
      this.keepAlive();
    });
  }

  /** Whether the node answers a ping within nine seconds. */
  answers(): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const alarm = this.#clock.after(CHANNEL_SILENCE_MS, () => resolve(false));
    void this.#ended.then(() => resolve(false));
    if (!this.#sendPing(() => resolve(true))) resolve(false);
    return promise.finally(() => alarm.cancel());
  }

  /**
   * Asks the node, and reads the whole answer.
   * @throws MESH_NODE_OFFLINE when no whole answer came, or the channel has ended
   */
  async exchange(method: 'GET' | 'PUT', path: string, body?: string): Promise<NodeAnswer> {
    const stream = this.#request(method, path);
    const alarm = this.#clock.after(ANSWER_MS, () => stream.close());
    try {
      const head = headOf(stream);
      stream.end(body);
      const [status, text] = await Promise.all([head, bodyText(stream, ANSWER_MAX_BYTES)]);
      return { status, text };
    } catch (cause) {
      throw this.#gone(cause);
    } finally {
      alarm.cancel();
      stream.close();
    }
  }

  /**
   * Opens a stream, such as a capture.
   * @throws MESH_NODE_OFFLINE, or the error that the node refused with
   */
  async open(path: string): Promise<ClientHttp2Stream> {
    const stream = this.#request('GET', path);
    stream.end();
    return await this.#answered(stream);
  }

  /**
   * Begins a request of which both bodies stay open.
   * @throws MESH_NODE_OFFLINE, or the error that the node refused with
   */
  async converse(path: string): Promise<ClientHttp2Stream> {
    return await this.#answered(this.#request('PUT', path));
  }

  /** Ends the connection at once. */
  close(): void {
    this.#session.destroy();
  }

  /** Tells the node why the connection ends, and ends it. */
  async refuse(error: MeshError): Promise<void> {
    await this.exchange('PUT', '/refusal', JSON.stringify(error)).catch(() => undefined);
    this.close();
  }

  async #answered(stream: ClientHttp2Stream): Promise<ClientHttp2Stream> {
    const alarm = this.#clock.after(ANSWER_MS, () => stream.close());
    const status = await headOf(stream)
      .catch((cause: unknown) => Promise.reject(this.#gone(cause)))
      .finally(() => alarm.cancel());
    if (status === 200) return stream;
    throw errorIn({ status, text: await bodyText(stream, ANSWER_MAX_BYTES).catch(() => '') });
  }

  #request(method: string, path: string): ClientHttp2Stream {
    if (this.#isOver || this.#session.destroyed) throw this.#gone(new Error('the channel has ended'));
    const stream = this.#session.request({ ':method': method, ':path': path }, { endStream: false });
    stream.on('error', () => stream.close());
    return stream;
  }

  #sendPing(onAnswer?: () => void): boolean {
    if (this.#isOver || this.#session.destroyed) return false;
    return this.#session.ping((error) => {
      if (error !== null) return;
      this.#heardMs = this.#clock.nowMs();
      this.#signs.emit();
      onAnswer?.();
    });
  }

  #gone(cause: unknown): MeshError {
    if (cause instanceof MeshError) return cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    return new MeshError('MESH_NODE_OFFLINE', `the node of machine ${this.machine} does not answer: ${why}`, {
      object: this.machine,
      cause,
      retryable: true,
      remedy: 'See `mesh node list`, and `mesh status` on that node.',
    });
  }
}

/** The error in an answer that is not 200. */
export function errorIn({ status, text }: NodeAnswer): MeshError {
  const { document } = readDocument(ErrorShape, text);
  if (document !== undefined) return MeshError.fromJSON(document);
  return new MeshError('MESH_INTERNAL', `the node answers ${status}`);
}

/** The status of an answer. Rejects when the stream ends before. */
function headOf(stream: ClientHttp2Stream): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  stream.once('response', (headers) => resolve(headers[':status'] ?? 0));
  stream.once('error', reject);
  stream.once('close', () => reject(new Error('it closed the stream')));
  return promise;
}
