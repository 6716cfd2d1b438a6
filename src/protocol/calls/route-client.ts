/**
 * The one client of tables of routes: it writes path, query and body, reads the answer by its form before its first use, and turns
 * an error answer back into the MeshError. Any transport carries its calls.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { Duplex, type Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { MeshError } from '../../model/error.ts';
import { SseParser } from '../documents/sse.ts';
import { linesOf } from '../http/lines.ts';
import { wholeText } from '../http/whole-text.ts';
import type { Answer, AnswerOf, ApiRoute, GivenFields, KeysOf, RouteTable } from '../routes/route.ts';
import { type DocumentReading, readDocument } from '../shapes/document.ts';
import * as form from '../shapes/form.ts';
import { ErrorShape } from '../shapes/parts.ts';

/** A request as a transport sends it. */
export interface Call {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  /** The call fails after this time without a byte; undefined is the transport's own time, 0 waits for ever. */
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal | undefined;
  /** Whether the answer has no end. */
  readonly isStream: boolean;
  /** Whether the body of the request has no end, either. */
  readonly staysOpen: boolean;
}

/** The head of an answer, and its body while it arrives. */
export interface Answered {
  readonly status: number;
  readonly headers?: IncomingHttpHeaders;
  readonly body: Readable;
}

/** Carries calls to one peer. */
export interface CallTransport {
  /** The longest document; `ANSWER_MAX_BYTES` where nothing is said. */
  readonly answerMaxBytes?: number;
  /** @throws MeshError when there is no answer */
  send(call: Call): Promise<Answered>;
  /** Why the body of an answer ended early. */
  explain(error: unknown): MeshError;
  /** The error for an answer that is not in its form. @param why a sentence: `it does not fit its form at version` */
  broken(route: string, why: string): MeshError;
}

/** What goes with each call. */
export interface CallSettings {
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly accept?: string;
  /** The id of the last event that was received, to resume a stream. */
  readonly lastId?: string | undefined;
}

type Empty = Readonly<Record<never, never>>;
type Optional<Key extends string, T> = Empty extends T
  ? { readonly [K in Key]?: T | undefined }
  : { readonly [K in Key]: T };
type PathPart<R> = R extends { readonly path: infer F } ? Optional<'path', GivenFields<F>> : Empty;
type QueryPart<R> = R extends { readonly query: infer F } ? Optional<'query', GivenFields<F>> : Empty;
type BodyPart<R> = R extends { readonly bodyIsText: true }
  ? { readonly body: string }
  : R extends { readonly body: form.Shape<unknown> & { readonly absent: unknown } }
    ? { readonly body?: form.TypeOf<R['body']> }
    : R extends { readonly body: form.Shape<infer T> }
      ? { readonly body: T }
      : Empty;
/** What a route takes, as its caller gives it. */
export type CallOptions<R> = PathPart<R> & QueryPart<R> & BodyPart<R> & CallSettings;
/** The same as a last argument, which may be left out where the route takes nothing. */
export type CallArguments<R> = Empty extends CallOptions<R> ? [options?: CallOptions<R>] : [options: CallOptions<R>];

/** The same without types: the compiler has checked it at the call. */
interface AnyOptions extends CallSettings {
  readonly path?: object | undefined;
  readonly query?: object | undefined;
  readonly body?: unknown;
}

/** Enough for a list of 100,000 members; a longer answer is a fault. */
const ANSWER_MAX_BYTES = 64 * 1024 * 1024;
/** An error has a few sentences. */
const ERROR_MAX_BYTES = 64 * 1024;
/** The longest line: the status of a node with a thousand networks, and its orphans. */
const LINE_MAX_LENGTH = 4 * 1024 * 1024;

/** A client of the routes `T` at one peer. */
export class RouteClient<T> {
  readonly #table: () => RouteTable | Promise<RouteTable>;
  readonly #transport: CallTransport;

  /** @param table may be loaded while the request is under way: a command then starts sooner */
  constructor(table: () => (T & RouteTable) | Promise<T & RouteTable>, transport: CallTransport) {
    this.#table = table;
    this.#transport = transport;
  }

  /** Asks, and reads the document that answers; undefined where the route answers none. */
  ask<K extends KeysOf<T, 'document' | 'nothing'>>(key: K, ...options: CallArguments<T[K]>): Promise<AnswerOf<T[K]>>;
  async ask(key: string, options: AnyOptions = {}): Promise<unknown> {
    const loading = this.#route(key);
    const { body } = await this.#send(key, options, false);
    const text = await this.#text(key, body, this.#transport.answerMaxBytes ?? ANSWER_MAX_BYTES);
    const { answer } = await loading;
    return answer.kind === 'document' ? this.#whole(key, readDocument(answer.form, text)) : undefined;
  }

  /** An answer as plain text. @param options.accept the media type to ask for */
  async text(key: KeysOf<T, 'text'> & string, options: { readonly accept: string }): Promise<string> {
    const { body } = await this.#send(key, options, false);
    return this.#text(key, body, this.#transport.answerMaxBytes ?? ANSWER_MAX_BYTES);
  }

  /** The data of each event of a stream, until the process or `signal` ends the stream. */
  async *events<K extends KeysOf<T, 'events'>>(
    key: K,
    ...options: CallArguments<T[K]>
  ): AsyncGenerator<AnswerOf<T[K]>> {
    for await (const { data } of this.messages(key, ...options)) yield data;
  }

  /** Data and id of each event of a stream. Where events differ, one that this version does not know is left out. */
  messages<K extends KeysOf<T, 'events'>>(
    key: K,
    ...options: CallArguments<T[K]>
  ): AsyncGenerator<{ readonly id?: string; readonly data: AnswerOf<T[K]> }>;
  async *messages(
    key: string,
    options: AnyOptions = {},
  ): AsyncGenerator<{ readonly id?: string; readonly data: unknown }> {
    const loading = this.#route(key);
    const { body } = await this.#send(key, { timeoutMs: 0, ...options }, true);
    const { answer } = await loading;
    const parser = new SseParser();
    for await (const text of this.#pieces(body)) {
      for (const { id, event, data } of parser.push(text)) {
        const shape = formOf(event, answer);
        if (shape === undefined) continue;
        yield { data: this.#whole(key, readDocument(shape, data)), ...(id !== undefined && { id }) };
      }
    }
  }

  /** Each line of a stream, read by its form; a line that does not fit it does not end the stream. */
  lines<K extends KeysOf<T, 'lines'>>(
    key: K,
    ...options: CallArguments<T[K]>
  ): AsyncGenerator<DocumentReading<AnswerOf<T[K]>>>;
  async *lines(key: string, options: AnyOptions = {}): AsyncGenerator<DocumentReading<unknown>> {
    const loading = this.#route(key);
    const { body } = await this.#send(key, { timeoutMs: 0, ...options }, true);
    const { answer } = await loading;
    const shape = answer.kind === 'lines' ? answer.form : form.unknown();
    try {
      for await (const lines of linesOf(body, LINE_MAX_LENGTH)) {
        for (const line of lines) yield readDocument(shape, line, LINE_MAX_LENGTH);
      }
    } catch (error) {
      throw this.#transport.explain(error);
    }
  }

  /** An answer without an end, such as a capture, while it arrives. */
  bytes<K extends KeysOf<T, 'bytes'>>(key: K, ...options: CallArguments<T[K]>): Promise<Readable>;
  async bytes(key: string, options: AnyOptions = {}): Promise<Readable> {
    const { body } = await this.#send(key, { timeoutMs: 0, ...options }, true);
    return body;
  }

  /** Begins an exchange of lines, of which both bodies stay open. The lines are read by those who talk. */
  async converse(key: KeysOf<T, 'conversation'> & string): Promise<Duplex> {
    const { body } = await this.#send(key, { timeoutMs: 0 }, true, true);
    if (body instanceof Duplex) return body;
    throw new TypeError('the transport carries no conversation');
  }

  async #route(key: string): Promise<ApiRoute> {
    const route = new Map<string, ApiRoute>(Object.entries(await this.#table())).get(key);
    if (route !== undefined) return route;
    throw new TypeError(`there is no route ${key}`);
  }

  async #send(key: string, options: AnyOptions, isStream: boolean, staysOpen = false): Promise<Answered> {
    const { path = {}, query = {}, body, timeoutMs, signal, accept, lastId } = options;
    const [method = '', pattern = ''] = key.split(' ', 2);
    const sent = typeof body === 'string' || body === undefined ? body : JSON.stringify(body);
    const answered = await this.#transport.send({
      method,
      path: pathWith(pattern, path) + queryText(query),
      headers: {
        ...(sent !== undefined && { 'content-type': 'application/json' }),
        ...(accept !== undefined && { accept }),
        ...(lastId !== undefined && { 'last-event-id': lastId }),
      },
      body: sent,
      timeoutMs,
      signal,
      isStream,
      staysOpen,
    });
    if (answered.status < 300) return answered;
    const text = await this.#text(key, answered.body, ERROR_MAX_BYTES);
    throw MeshError.fromJSON(this.#whole(key, readDocument(ErrorShape, text), answered.status));
  }

  async #text(key: string, body: Readable, maxBytes: number): Promise<string> {
    let text: string | undefined;
    try {
      text = await wholeText(body, maxBytes);
    } catch (error) {
      throw this.#transport.explain(error);
    }
    if (text === undefined) throw this.#transport.broken(key, 'it has no end');
    return text;
  }

  async *#pieces(body: Readable): AsyncGenerator<string> {
    const decoder = new StringDecoder('utf8');
    try {
      for await (const chunk of body as AsyncIterable<Buffer>) yield decoder.write(chunk);
    } catch (error) {
      throw this.#transport.explain(error);
    }
  }

  #whole<D>(key: string, reading: DocumentReading<D>, status?: number): D {
    if (reading.fault === undefined) return reading.document;
    throw this.#transport.broken(
      key,
      `it ${status === undefined ? '' : `has the status ${status} and `}${reading.fault}`,
    );
  }
}

/** The form of an event. Where all events are alike, their name says nothing. */
function formOf(event: string, answer: Answer): form.Shape<unknown> | undefined {
  if (answer.kind !== 'events') return undefined;
  const [first, second] = Object.values(answer.forms);
  return second === undefined ? first : answer.forms[event];
}

function pathWith(pattern: string, parameters: object): string {
  return Object.entries(parameters).reduce(
    (path, [name, value]) => path.replace(`{${name}}`, () => pathWord(String(value))),
    pattern,
  );
}

/** A name within a path. A colon is allowed there (RFC 3986 §3.3), and Ethernet addresses have five. */
function pathWord(name: string): string {
  return encodeURIComponent(name).replaceAll('%3A', ':');
}

function queryText(query: object): string {
  const words = Object.entries(query)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]): [string, string] => [
      name,
      typeof value === 'boolean' ? String(Number(value)) : String(value),
    ]);
  return words.length === 0 ? '' : `?${new URLSearchParams(words)}`;
}
