/**
 * The connections to one member of etcd: HTTP/1.1 where it speaks plain, HTTP/2 where it speaks TLS. `fetch` will not do: it ends a
 * watch in which nothing happens for five minutes.
 */
import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import type { Clock } from '../../model/clock.ts';
import { type EtcdEndpoint, endpointText } from '../../model/etcd-endpoint.ts';
import { broken, EtcdFailure, failureOfAnswer, refused } from './etcd-failure.ts';
import type { EtcdPlace } from './etcd-place.ts';

/** More requests under way than this only wait in etcd. */
const SOCKETS_MAX = 64;
/** libuv asks each second from then on, ten times: a member that is cut off is noticed within 13 s also where nothing is sent. */
const SILENCE_MS = 3_000;
/** Room for a large range: etcd itself has at most 8 GB, and host0's documents some MB. */
const ANSWER_MAX_LENGTH = 256 * 1024 * 1024;

/** A question to a member. */
export interface WireRequest {
  readonly path: string;
  readonly body: string;
  readonly token: string | undefined;
}

/** An answer that goes on. */
export interface WireStream {
  close(): void;
}

/** What is heard of a stream. */
export interface StreamListener {
  readonly onLine: (line: string) => void;
  /** Called once, unless the stream was closed before. */
  readonly onEnd: (failure: EtcdFailure) => void;
}

type Reply = { readonly status: number; readonly body: NodeJS.ReadableStream };
interface Exchange {
  readonly reply: Promise<Reply>;
  readonly isConnected: () => boolean;
  readonly cancel: (error: Error) => void;
}

/** The connections to one member, made when they are needed. */
export class EtcdWire {
  readonly #endpoint: EtcdEndpoint;
  readonly #tls: EtcdPlace['tls'];
  readonly #clock: Clock;
  readonly #agent = new Agent({ keepAlive: true, keepAliveMsecs: SILENCE_MS, maxSockets: SOCKETS_MAX });
  #session: ClientHttp2Session | undefined;
  /** The sessions that were connected once, so that a request on them may have arrived. */
  readonly #connected = new WeakSet<ClientHttp2Session>();

  constructor(endpoint: EtcdEndpoint, tls: EtcdPlace['tls'], clock: Clock) {
    this.#endpoint = endpoint;
    this.#tls = tls;
    this.#clock = clock;
  }

  get name(): string {
    return endpointText(this.#endpoint);
  }

  /** The text of the answer. @throws EtcdFailure */
  async ask(asked: WireRequest, timeLimitMs: number): Promise<string> {
    const exchange = this.#send(asked);
    const late = this.#clock.after(timeLimitMs, () => exchange.cancel(new Error(`no answer within ${timeLimitMs} ms`)));
    try {
      const { status, body } = await exchange.reply;
      const text = await textOf(body);
      if (status !== 200) throw failureOfAnswer(status, text);
      return text;
    } catch (thrown) {
      throw thrown instanceof EtcdFailure ? thrown : this.#failed(thrown, exchange.isConnected());
    } finally {
      late.cancel();
    }
  }

  /** Follows an answer that is a line of JSON for each event. */
  follow(asked: WireRequest, { onLine, onEnd }: StreamListener): WireStream {
    const exchange = this.#send(asked);
    let isOver = false;
    const end = (failure: EtcdFailure): void => {
      if (isOver) return;
      isOver = true;
      exchange.cancel(new Error('closed'));
      onEnd(failure);
    };
    const read = async (): Promise<void> => {
      const { status, body } = await exchange.reply;
      if (status !== 200) throw failureOfAnswer(status, await textOf(body));
      // In parts: a long line that grows by each of them would be copied as often.
      let parts: string[] = [];
      let length = 0;
      body.setEncoding('utf8');
      for await (const chunk of body) {
        const [first = '', ...others] = String(chunk).split('\n');
        parts.push(first);
        length += first.length;
        if (length > ANSWER_MAX_LENGTH) throw tooLong(this.name);
        for (const other of others) {
          if (!isOver) onLine(parts.join(''));
          parts = [other];
          length = other.length;
        }
      }
      throw new Error('the stream has ended');
    };
    read().catch((thrown: unknown) => end(thrown instanceof EtcdFailure ? thrown : this.#failed(thrown, true)));
    return {
      close: () => {
        isOver = true;
        exchange.cancel(new Error('closed'));
      },
    };
  }

  close(): void {
    this.#agent.destroy();
    this.#session?.destroy();
  }

  #send(asked: WireRequest): Exchange {
    return this.#tls === undefined ? this.#sendPlain(asked) : this.#sendSecure(asked, this.#tls);
  }

  #sendPlain({ path, body, token }: WireRequest): Exchange {
    const { host, port } = this.#endpoint;
    const asked: ClientRequest = request({
      ...{ host, port, path, method: 'POST', agent: this.#agent },
      headers: { ...headersOf(token), 'content-length': Buffer.byteLength(body) },
    });
    const reply = new Promise<Reply>((resolve, reject) => {
      asked.on('response', (answer: IncomingMessage) => resolve({ status: answer.statusCode ?? 0, body: answer }));
      asked.on('error', reject);
    });
    let isConnected = false;
    asked.on('socket', (socket) => {
      socket.setKeepAlive(true, SILENCE_MS).setNoDelay(true);
      isConnected = !socket.connecting;
      if (isConnected) return;
      socket.once('connect', () => {
        isConnected = true;
      });
    });
    asked.end(body);
    return { reply, isConnected: () => isConnected, cancel: (error) => void asked.destroy(error) };
  }

  #sendSecure({ path, body, token }: WireRequest, tls: NonNullable<EtcdPlace['tls']>): Exchange {
    const session = this.#sessionFor(tls);
    const stream: ClientHttp2Stream = session.request({ ':method': 'POST', ':path': path, ...headersOf(token) });
    const reply = new Promise<Reply>((resolve, reject) => {
      stream.on('response', (headers) => resolve({ status: Number(headers[':status'] ?? 0), body: stream }));
      stream.on('error', reject);
      // A stream of a session that could not be made ends without an error.
      session.on('error', reject);
      stream.on('close', () => {
        session.off('error', reject);
        reject(new Error('the connection was closed'));
      });
    });
    stream.end(body);
    const isConnected = () => this.#connected.has(session);
    return { reply, isConnected, cancel: (error) => void stream.destroy(error) };
  }

  #sessionFor(tls: NonNullable<EtcdPlace['tls']>): ClientHttp2Session {
    const { host } = this.#endpoint;
    if (this.#session !== undefined && !this.#session.closed && !this.#session.destroyed) return this.#session;
    const session = connect(`https://${endpointText(this.#endpoint)}`, { ...tls, host, minVersion: 'TLSv1.2' });
    session.on('connect', (_, socket) => {
      this.#connected.add(session);
      socket.setKeepAlive(true, SILENCE_MS);
    });
    // Each exchange of the session hears of the error.
    session.on('error', () => session.destroy());
    session.unref();
    this.#session = session;
    return session;
  }

  #failed(thrown: unknown, wasConnected: boolean): EtcdFailure {
    const { code, message } = thrown instanceof Error ? { code: '', ...thrown, message: thrown.message } : NO_REASON;
    const text = `etcd at ${this.name}: ${message}`;
    if (isAboutTls(String(code), message)) return new EtcdFailure('untrusted', refused(text, TLS_REMEDY));
    return new EtcdFailure(wasConnected ? 'unsure' : 'away', broken(text, thrown));
  }
}

function tooLong(name: string): EtcdFailure {
  return new EtcdFailure(
    'unreadable',
    broken(`etcd at ${name} sends a line of more than ${ANSWER_MAX_LENGTH} characters`),
  );
}

const NO_REASON = { code: '', message: 'no answer' };
const TLS_REMEDY =
  'Compare ca, cert and key in etcd.conf with the certificates of etcd, and the names in them with the endpoints';

/** Errors of certificates have the codes of OpenSSL: CERT_HAS_EXPIRED, DEPTH_ZERO_SELF_SIGNED_CERT, ERR_TLS_CERT_ALTNAME_INVALID. */
function isAboutTls(code: string, message: string): boolean {
  return /CERT|^ERR_TLS|^ERR_SSL|UNABLE_TO|SELF_SIGNED/.test(code) || /certificate|ssl alert/i.test(message);
}

function headersOf(token: string | undefined): Record<string, string> {
  return {
    'content-type': 'application/json',
    // A member without a leader then refuses at once, and ends its watches.
    'grpc-metadata-hasleader': 'true',
    ...(token !== undefined && { authorization: token }),
  };
}

async function textOf(body: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    const bytes = Buffer.from(chunk);
    length += bytes.length;
    if (length > ANSWER_MAX_LENGTH) throw new Error('the answer is too long');
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}
