/** host0's end of one channel: HTTP/2 on the connection of a node, with host0 as the client. */
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { Alarm, Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineId, MachineWord } from '../../model/machine.ts';
import { Signal, type Subscribable } from '../../model/signal.ts';
import { type Answered, type Call, RouteClient } from '../../protocol/calls/route-client.ts';
import { CHANNEL_SILENCE_MS, PING_MS } from '../../protocol/channel/channel-times.ts';
import { CHANNEL_ROUTES } from '../../protocol/routes/channel-routes.ts';

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
  /** Asks the node. All calls throw MESH_NODE_OFFLINE when no whole answer comes, or the channel has ended. */
  readonly node: RouteClient<typeof CHANNEL_ROUTES>;
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
    this.node = new RouteClient(() => CHANNEL_ROUTES, {
      answerMaxBytes: ANSWER_MAX_BYTES,
      send: (call) => this.#send(call),
      explain: (error) => this.#gone(error),
      broken: (route, why) => brokenAnswer(machine, route, why),
    });
    // A request that ends in a small packet waited for 40 ms until the node's kernel confirmed the packet before.
    socket.setNoDelay();
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

  /** How long nothing has been heard of the node. */
  get silentMs(): number {
    return this.#clock.nowMs() - this.#heardMs;
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
   * Begins the exchange about memberships, of which both bodies stay open.
   * @throws MESH_NODE_OFFLINE, or the error that the node refused with
   */
  converse(): Promise<Duplex> {
    return this.node.converse('PUT /memberships');
  }

  /** Ends the connection at once. */
  close(): void {
    this.#session.destroy();
  }

  /** Tells the node why the connection ends, and ends it. */
  async refuse(error: MeshError): Promise<void> {
    await this.node.ask('PUT /refusal', { body: error.toJSON() }).catch(() => undefined);
    this.close();
  }

  /** The whole of an answer comes within the time, of a stream its head. */
  async #send({ method, path, headers, body, isStream, staysOpen, signal }: Call): Promise<Answered> {
    if (this.#isOver || this.#session.destroyed) throw this.#gone(new Error('the channel has ended'));
    const stream = this.#session.request({ ...headers, ':method': method, ':path': path }, { endStream: false });
    stream.on('error', () => stream.close());
    const alarm = this.#clock.after(ANSWER_MS, () => stream.close());
    const leave = (): void => stream.close(constants.NGHTTP2_CANCEL);
    signal?.addEventListener('abort', leave, { once: true });
    stream.once('close', () => {
      alarm.cancel();
      signal?.removeEventListener('abort', leave);
    });
    if (signal?.aborted) leave();
    const head = headOf(stream);
    if (!staysOpen) stream.end(body);
    const status = await head.catch((cause: unknown) => Promise.reject(this.#gone(cause)));
    if (isStream) alarm.cancel();
    return { status, body: stream };
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

/** The error for an answer of a node that is not in its form. */
export function brokenAnswer(machine: MachineWord, route: string, why: string): MeshError {
  return new MeshError('MESH_MEMBER_REPORT_INVALID', `the node of machine ${machine} answers ${route}: ${why}`, {
    object: machine,
    remedy: 'Run the same version of Meshwork on host0 and on that node.',
  });
}

/** The status of an answer. Rejects when the stream ends before. */
function headOf(stream: ClientHttp2Stream): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  stream.once('response', (headers) => resolve(headers[':status'] ?? 0));
  stream.once('error', reject);
  stream.once('close', () => reject(new Error('it closed the stream')));
  return promise;
}
