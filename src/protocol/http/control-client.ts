/** HTTP clients for the control sockets of host0's daemon and of the agent (documents/views.ts lists the requests). */
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { type ErrorDocument, MeshError } from '../../model/error.ts';
import type { Paths } from '../documents/paths.ts';
import { SseParser } from '../documents/sse.ts';
import { request } from './http.ts';

/** The two long-running processes. */
export type DaemonName = 'host0' | 'agent';

const ANSWER_TIMEOUT_MS = 10_000;
/** Enough for a list of 100,000 members; a longer answer is a fault. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/** The two processes in sentences. */
export const TITLES: Record<DaemonName, string> = { host0: "host0's daemon", agent: 'the agent' };

const FOREGROUND: Record<DaemonName, string> = { host0: 'mesh system run', agent: 'mesh agent run' };

/** What an error of the socket means for the process behind it. */
const ABSENT: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'is not running'],
  ['ECONNREFUSED', 'is not running'],
  ['ECONNRESET', 'went away'],
  ['EPIPE', 'went away'],
]);

interface Call {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** The call fails after this time without a byte; 0 waits for ever. */
  readonly timeoutMs?: number;
}

/**
 * A client of one control socket. All methods that send a request throw the MeshError that the process answered, or
 * MESH_NOT_RUNNING when it does not answer, MESH_NOT_ROOT when the socket is not open to this user, and MESH_INTERNAL
 * when the answer is not readable. Answers are not checked against `T`.
 */
export class ControlClient {
  readonly daemon: DaemonName;
  readonly sock: string;

  constructor(daemon: DaemonName, sock: string) {
    this.daemon = daemon;
    this.sock = sock;
  }

  get<T>(path: string, timeoutMs = ANSWER_TIMEOUT_MS): Promise<T> {
    return this.#document<T>({ method: 'GET', path, timeoutMs });
  }

  put<T>(path: string, body: unknown): Promise<T> {
    return this.#document<T>({ method: 'PUT', path, body });
  }

  post<T>(path: string, body: unknown, timeoutMs = ANSWER_TIMEOUT_MS): Promise<T> {
    return this.#document<T>({ method: 'POST', path, body, timeoutMs });
  }

  delete<T>(path: string): Promise<T> {
    return this.#document<T>({ method: 'DELETE', path });
  }

  /** An answer as plain text. @param accept the media type to ask for */
  async text(path: string, accept: string): Promise<string> {
    return this.#text(await this.#call({ method: 'GET', path, headers: { accept } }));
  }

  /** The data of each event of a stream, until the process or `signal` ends the stream. */
  async *events<T>(path: string, signal?: AbortSignal): AsyncGenerator<T> {
    for await (const { data } of this.messages(path, undefined, signal)) yield data as T;
  }

  /** Data and id of each event of a stream. @param lastId id of the last event that was received, to resume a stream */
  async *messages(
    path: string,
    lastId?: string,
    signal?: AbortSignal,
  ): AsyncGenerator<{ readonly id?: string; readonly data: unknown }> {
    const headers = lastId === undefined ? {} : { 'last-event-id': lastId };
    const response = await this.#call({ method: 'GET', path, timeoutMs: 0, headers, signal });
    const parser = new SseParser();
    try {
      for await (const text of response.setEncoding('utf8') as AsyncIterable<string>) {
        for (const { id, data } of parser.push(text)) {
          yield { data: this.#parse(data), ...(id !== undefined && { id }) };
        }
      }
    } catch (error) {
      throw this.#explain(error);
    }
  }

  /** An answer without an end, such as a capture, while it arrives. */
  bytes(path: string): Promise<IncomingMessage> {
    return this.#call({ method: 'GET', path, timeoutMs: 0 });
  }

  /** Whether a process listens on the socket. */
  answers(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(this.sock);
      socket.once('connect', () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => resolve(false));
    });
  }

  async #document<T>(call: Call): Promise<T> {
    const response = await this.#call(call);
    const text = await this.#text(response);
    return (text === '' ? undefined : this.#parse(text)) as T;
  }

  async #call(call: Call): Promise<IncomingMessage> {
    const response = await this.#send(call);
    if (response.statusCode !== undefined && response.statusCode < 300) return response;
    const text = await this.#text(response);
    const document = this.#parse<Partial<ErrorDocument>>(text);
    if (typeof document.code !== 'string' || typeof document.message !== 'string') throw this.#garbled(text);
    throw MeshError.fromJSON(document as ErrorDocument);
  }

  #send({
    method,
    path,
    body,
    headers: more = {},
    signal,
    timeoutMs = ANSWER_TIMEOUT_MS,
  }: Call): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const headers = { ...more, ...(body !== undefined && { 'content-type': 'application/json' }) };
      const options = { method, path, headers, timeout: timeoutMs, signal };
      const outgoing = request({ socketPath: this.sock, agent: false, ...options });
      outgoing.once('response', resolve);
      outgoing.once('timeout', () => outgoing.destroy(this.#silent(timeoutMs)));
      outgoing.once('error', (error: NodeJS.ErrnoException) => reject(this.#explain(error)));
      outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  async #text(response: IncomingMessage): Promise<string> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        if (bytes > MAX_ANSWER_BYTES) throw this.#garbled('an answer without an end');
        chunks.push(chunk);
      }
    } catch (error) {
      throw this.#explain(error);
    }
    return Buffer.concat(chunks).toString('utf8');
  }

  #parse<T>(text: string): T {
    try {
      return JSON.parse(text) as T;
    } catch {
      throw this.#garbled(text);
    }
  }

  #garbled(text: string): MeshError {
    return new MeshError('MESH_INTERNAL', `${TITLES[this.daemon]} sent an answer that cannot be read`, {
      object: this.sock,
      remedy: `Look whether another program listens there. The answer begins with ${JSON.stringify(text.slice(0, 60))}.`,
    });
  }

  #silent(timeoutMs: number): MeshError {
    return new MeshError('MESH_NOT_RUNNING', `${TITLES[this.daemon]} did not answer within ${timeoutMs / 1000} s`, {
      object: this.sock,
      remedy: `See \`mesh system logview --process ${this.daemon}\` for what it is doing.`,
      retryable: true,
    });
  }

  #explain(error: unknown): MeshError {
    if (error instanceof MeshError) return error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EACCES') {
      return new MeshError('MESH_NOT_ROOT', `you may not talk to ${TITLES[this.daemon]}`, {
        object: this.sock,
        rule: 'Its control socket is for root and for the group that owns it.',
        remedy: `Run the command as root, or join the group that \`stat -c %G ${this.sock}\` names.`,
        cause: error,
      });
    }
    const what = ABSENT.get(code ?? '');
    if (what === undefined) return MeshError.from(error);
    return new MeshError('MESH_NOT_RUNNING', `${TITLES[this.daemon]} ${what}`, {
      operation: 'call',
      object: this.sock,
      remedy: `Start it with \`mesh system start\`, or in the foreground with \`${FOREGROUND[this.daemon]}\`.`,
      cause: error,
      retryable: true,
    });
  }
}

/** A client of one of the two processes of the host that `paths` are of. */
export function clientOf(daemon: DaemonName, { controlSock, agentSock }: Paths): ControlClient {
  return new ControlClient(daemon, daemon === 'host0' ? controlSock : agentSock);
}

/** A client of this host's agent. */
export function agentClient(paths: Paths): ControlClient {
  return clientOf('agent', paths);
}

/** A client of this host's host0 daemon, which need not run. */
export function host0Client(paths: Paths): ControlClient {
  return clientOf('host0', paths);
}

/** A client of host0's daemon where it runs, since it knows every node; else of the agent, which knows its own networks. */
export async function bestClient(paths: Paths): Promise<ControlClient> {
  const host0 = host0Client(paths);
  return (await host0.answers()) ? host0 : agentClient(paths);
}

/** Clients of those of the two processes that run; where neither runs, of the agent, so that its error is shown. */
export async function clientsHere(paths: Paths): Promise<ControlClient[]> {
  const [host0, agent] = [host0Client(paths), agentClient(paths)];
  if (!(await host0.answers())) return [agent];
  return (await agent.answers()) ? [host0, agent] : [host0];
}
