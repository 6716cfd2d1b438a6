/** HTTP clients for the control sockets of host0's daemon and of the agent (documents/views.ts lists the requests). */
import { existsSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { MeshError } from '../../model/error.ts';
import { type Paths, pathsBelow } from '../documents/paths.ts';
import { SseParser } from '../documents/sse.ts';
import type { RouteAnswers, RouteOf } from '../shapes/answers.ts';
import type { DocumentReading } from '../shapes/document.ts';
import { request } from './http.ts';
import { type DaemonName, startRemedy, TITLES } from './service-manager.ts';

const ANSWER_TIMEOUT_MS = 10_000;
/** Enough for a list of 100,000 members; a longer answer is a fault. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/** What an error of the socket means for the process behind it. */
const ABSENT: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'is not running'],
  ['ECONNREFUSED', 'is not running'],
  ['ECONNRESET', 'went away'],
  ['EPIPE', 'went away'],
]);

/** What goes with a request. */
export interface AskOptions {
  /** The names in place of each `*` of the route. */
  readonly names?: readonly string[];
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** The call fails after this time without a byte; 0 waits for ever. */
  readonly timeoutMs?: number;
}

/** What goes with a request for a stream. */
export interface FollowOptions extends Pick<AskOptions, 'query'> {
  /** The id of the last event that was received, to resume a stream. */
  readonly lastId?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface Call extends AskOptions {
  /** Method and path. */
  readonly route: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The forms of all answers, loaded while the request is under way: `mesh` starts in a few milliseconds without them.
 */
const forms = () => import('../shapes/answers.ts');

/**
 * A client of one control socket. All methods that send a request throw the MeshError that the process answered, or
 * MESH_NOT_RUNNING when it does not answer, MESH_NOT_ROOT when the socket is not open to this user, and MESH_INTERNAL
 * when the answer has not its form.
 */
export class ControlClient<D extends DaemonName = DaemonName> {
  readonly daemon: D;
  readonly sock: string;
  readonly #places: Pick<Paths, 'root' | 'host0'>;

  /** @param places of the machine, for remedies */
  constructor(daemon: D, sock: string, places: Pick<Paths, 'root' | 'host0'> = pathsBelow('/')) {
    this.daemon = daemon;
    this.sock = sock;
    this.#places = places;
  }

  /** Sends a request, and reads the document that answers it. */
  async ask<R extends RouteOf<D>>(route: R, options: AskOptions = {}): Promise<RouteAnswers[D][R]> {
    const loading = forms();
    const text = await this.#text(await this.#call({ ...options, route: String(route) }));
    const { readRouteAnswer } = await loading;
    return this.#whole(readRouteAnswer(this.daemon, route, text));
  }

  /** An answer as plain text. @param accept the media type to ask for */
  async text(path: string, accept: string): Promise<string> {
    return this.#text(await this.#call({ route: `GET ${path}`, headers: { accept } }));
  }

  /** The data of each event of a stream, until the process or `signal` ends the stream. */
  async *events<R extends RouteOf<D>>(route: R, options: FollowOptions = {}): AsyncGenerator<RouteAnswers[D][R]> {
    for await (const { data } of this.messages(route, options)) yield data;
  }

  /** Data and id of each event of a stream. */
  async *messages<R extends RouteOf<D>>(
    route: R,
    { lastId, ...options }: FollowOptions = {},
  ): AsyncGenerator<{ readonly id?: string; readonly data: RouteAnswers[D][R] }> {
    const headers = lastId === undefined ? {} : { 'last-event-id': lastId };
    const loading = forms();
    const response = await this.#call({ ...options, route: String(route), timeoutMs: 0, headers });
    const { readRouteAnswer } = await loading;
    const parser = new SseParser();
    try {
      for await (const text of response.setEncoding('utf8') as AsyncIterable<string>) {
        for (const { id, data } of parser.push(text)) {
          yield {
            data: this.#whole(readRouteAnswer(this.daemon, route, data)),
            ...(id !== undefined && { id }),
          };
        }
      }
    } catch (error) {
      throw this.#explain(error);
    }
  }

  /** An answer without an end, such as a capture, while it arrives. */
  bytes(path: string): Promise<IncomingMessage> {
    return this.#call({ route: `GET ${path}`, timeoutMs: 0 });
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

  async #call(call: Call): Promise<IncomingMessage> {
    const response = await this.#send(call);
    if (response.statusCode !== undefined && response.statusCode < 300) return response;
    const text = await this.#text(response);
    const { readRefusal } = await forms();
    throw MeshError.fromJSON(this.#whole(readRefusal(text)));
  }

  #send({
    route,
    names = [],
    query = {},
    body,
    headers: more = {},
    signal,
    timeoutMs = ANSWER_TIMEOUT_MS,
  }: Call): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const [method, pattern = ''] = route.split(' ', 2);
      const parameters = new URLSearchParams(query).toString();
      const path = names.reduce((known, name) => known.replace('*', () => pathWord(name)), pattern);
      const headers = { ...more, ...(body !== undefined && { 'content-type': 'application/json' }) };
      const options = { method, path: path + (parameters && `?${parameters}`), headers, timeout: timeoutMs, signal };
      const outgoing = request({ socketPath: this.sock, agent: false, ...options });
      outgoing.once('response', resolve);
      outgoing.once('timeout', () => outgoing.destroy(this.#silent(timeoutMs)));
      outgoing.once('error', (error: NodeJS.ErrnoException) => reject(this.#explain(error)));
      // An answer such as «101 Switching Protocols» closes the connection without an error or a response.
      outgoing.once('close', () => reject(this.#garbled('it closes the connection')));
      outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  async #text(response: IncomingMessage): Promise<string> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        if (bytes > MAX_ANSWER_BYTES) throw this.#garbled('it has no end');
        chunks.push(chunk);
      }
    } catch (error) {
      throw this.#explain(error);
    }
    return Buffer.concat(chunks).toString('utf8');
  }

  #whole<T>(reading: DocumentReading<T>): T {
    if (reading.fault === undefined) return reading.document;
    throw this.#garbled(`it ${reading.fault}`);
  }

  #garbled(why: string): MeshError {
    return new MeshError('MESH_INTERNAL', `${TITLES[this.daemon]} sent an answer that cannot be read: ${why}`, {
      object: this.sock,
      remedy: 'Look whether another program listens there, or whether the process is of another version.',
    });
  }

  #silent(timeoutMs: number): MeshError {
    return new MeshError('MESH_NOT_RUNNING', `${TITLES[this.daemon]} did not answer within ${timeoutMs / 1000} s`, {
      object: this.sock,
      remedy: `See \`mesh system logview --process ${this.daemon}\` for what it is doing.`,
      retryable: true,
    });
  }

  #absentRemedy(): string {
    const { root, host0 } = this.#places;
    if (this.daemon === 'agent' || existsSync(host0)) return startRemedy(this.daemon, root);
    return `Run the command on host0: this machine is a node, since it has no ${host0}.`;
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
      remedy: this.#absentRemedy(),
      cause: error,
      retryable: true,
    });
  }
}

/** A name within a path. A colon is allowed there (RFC 3986 §3.3), and Ethernet addresses have five. */
function pathWord(name: string): string {
  return encodeURIComponent(name).replaceAll('%3A', ':');
}

/** A client of one of the two processes of the host that `paths` are of. */
export function clientOf<D extends DaemonName>(daemon: D, paths: Paths): ControlClient<D> {
  return new ControlClient(daemon, daemon === 'host0' ? paths.controlSock : paths.agentSock, paths);
}

/** A client of this host's agent. */
export function agentClient(paths: Paths): ControlClient<'agent'> {
  return clientOf('agent', paths);
}

/** A client of this host's host0 daemon, which need not run. */
export function host0Client(paths: Paths): ControlClient<'host0'> {
  return clientOf('host0', paths);
}

/** A client of host0's daemon if it runs, because it knows all nodes; else of the agent, which knows its own networks. */
export async function bestClient(paths: Paths): Promise<ControlClient> {
  const host0 = host0Client(paths);
  return (await host0.answers()) ? host0 : agentClient(paths);
}

/** Clients of the processes that run. If neither runs, a client of the agent, so that the user sees its error. */
export async function clientsHere(paths: Paths): Promise<ControlClient[]> {
  const [host0, agent] = [host0Client(paths), agentClient(paths)];
  if (!(await host0.answers())) return [agent];
  return (await agent.answers()) ? [host0, agent] : [host0];
}
