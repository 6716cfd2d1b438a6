/**
 * The one server of tables of routes: it finds the route, reads path, query and body by their forms, and answers with the
 * document or with the error. Any transport hands it its requests.
 */
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import type { Readable, Writable } from 'node:stream';
import { type ErrorCode, MeshError } from '../../model/error.ts';
import { EventStream } from '../http/event-stream.ts';
import { type HttpRequest, type HttpResponse, sendDocument, sendError } from '../http/exchange.ts';
import type { Answer, AnswerOf, ApiRoute, FieldsOf, RouteTable } from '../routes/route.ts';
import type * as form from '../shapes/form.ts';
import { pathIn, type ReadParts, readRequest } from './request-reading.ts';

/** A request that fits its route. */
export interface Asked<R, C> {
  readonly path: R extends { readonly path: infer F } ? FieldsOf<F> : FieldsOf<undefined>;
  readonly query: R extends { readonly query: infer F } ? FieldsOf<F> : FieldsOf<undefined>;
  readonly body: R extends { readonly bodyIsText: true }
    ? string
    : R extends { readonly body: form.Shape<infer T> }
      ? T
      : undefined;
  readonly headers: IncomingHttpHeaders;
  /** The body of the request while it arrives, of a route that reads lines. */
  readonly lines: Readable;
  /** Who asks, as far as the transport knows. */
  readonly from: C;
}

/** A text as an answer, with its type and other headers. */
export interface SentText {
  readonly status?: number;
  readonly headers: OutgoingHttpHeaders;
  readonly text: string | Buffer;
}

/** Opens the stream of an answer. Before that, a handler can still throw. */
export type OpenStream<S> = () => S;

type StreamOf<A> = A extends { readonly kind: 'events' } ? EventStream : Writable;
type AnsweredBy<R> = R extends { readonly answer: infer A }
  ? A extends { readonly kind: 'document' }
    ? AnswerOf<R>
    : A extends { readonly kind: 'text' }
      ? SentText
      : unknown
  : never;
type IsStream<R> = R extends { readonly answer: { readonly kind: 'events' | 'lines' | 'conversation' | 'bytes' } }
  ? true
  : false;

/** Answers the requests of one route. */
export type RouteHandler<R, C> =
  true extends IsStream<R>
    ? (
        asked: Asked<R, C>,
        open: OpenStream<StreamOf<R extends { readonly answer: infer A } ? A : never>>,
      ) => void | Promise<void>
    : (asked: Asked<R, C>) => AnsweredBy<R> | Promise<AnsweredBy<R>>;

/** A handler for each route of a table. */
export type RouteHandlers<T, C = undefined> = { readonly [K in keyof T]: RouteHandler<T[K], C> };

/** How a server answers. */
export interface RouteServerOptions {
  /** The code for a request that does not fit. */
  readonly invalid?: ErrorCode;
  /** Called with what a handler threw and is no MeshError: a fault of Meshwork. */
  readonly onFault: (thrown: unknown) => void;
  /** Called after each answer that is no stream. An unknown route has the key `other`. */
  readonly onAnswer?: (method: string, path: string, status: number, seconds: number) => void;
}

/** A server of one table. */
export interface RouteServer<C> {
  /** Answers a request. Never rejects. */
  answer(request: HttpRequest, response: HttpResponse, from: C): Promise<void>;
  /** Whether the table has a route for a request. */
  has(request: Pick<HttpRequest, 'method' | 'url'>): boolean;
}

/** A handler as the server calls it: the compiler has checked it against its route. */
type AnyHandler<C> = (
  asked: ReadParts & { readonly headers: IncomingHttpHeaders; readonly lines: Readable; readonly from: C },
  open: OpenStream<unknown>,
) => unknown;

/** A route with its handler. */
interface Place<C> {
  readonly key: string;
  readonly route: ApiRoute;
  readonly handler: AnyHandler<C>;
  /** The words of its path; undefined is a parameter. */
  readonly words: readonly (string | undefined)[];
  readonly names: readonly string[];
}

/** Makes the server of a table. */
export function routeServer<const T extends RouteTable, C>(
  table: T,
  handlers: RouteHandlers<T, C>,
  options: RouteServerOptions,
): RouteServer<C> {
  return serverOf(table, handlers, options);
}

function serverOf<C>(table: RouteTable, handlers: object, options: RouteServerOptions): RouteServer<C> {
  const whole = new Map<string, Place<C>>();
  const patterns: Place<C>[] = [];
  for (const [key, route] of Object.entries(table)) {
    const handler: unknown = Reflect.get(handlers, key);
    if (!isHandler<C>(handler)) throw new TypeError(`${key} has no handler`);
    const place = { key, route, handler, ...wordsOf(key) };
    if (place.names.length === 0) whole.set(key, place);
    else patterns.push(place);
  }
  const find = ({ method, url }: Pick<HttpRequest, 'method' | 'url'>): Found<C> | undefined => {
    const path = pathIn(url);
    const place = whole.get(`${method} ${path}`);
    return place === undefined ? firstOf(patterns, method, path) : { place, values: [] };
  };
  return {
    has: (request) => find(request) !== undefined,
    answer: (request, response, from) => answerWith(find(request), request, response, from, options),
  };
}

function isHandler<C>(value: unknown): value is AnyHandler<C> {
  return typeof value === 'function';
}

interface Found<C> {
  readonly place: Place<C>;
  readonly values: readonly string[];
}

function wordsOf(key: string): { readonly words: readonly (string | undefined)[]; readonly names: readonly string[] } {
  const words = key.split('/');
  const nameIn = (word: string) => /^\{(\w+)\}$/.exec(word)?.[1];
  return {
    words: words.map((word) => (nameIn(word) === undefined ? word : undefined)),
    names: words.flatMap((word) => nameIn(word) ?? []),
  };
}

function firstOf<C>(patterns: readonly Place<C>[], method: string, path: string): Found<C> | undefined {
  const words = `${method} ${path}`.split('/');
  const place = patterns.find(
    (candidate) =>
      candidate.words.length === words.length &&
      candidate.words.every((word, index) => word === undefined || word === words[index]),
  );
  return place && { place, values: words.filter((_, index) => place.words[index] === undefined) };
}

async function answerWith<C>(
  found: Found<C> | undefined,
  request: HttpRequest,
  response: HttpResponse,
  from: C,
  { invalid = 'MESH_USAGE', onFault, onAnswer }: RouteServerOptions,
): Promise<void> {
  const startMs = performance.now();
  const told = (status: number): void => {
    const [method = 'other', path = 'other'] = found === undefined ? [] : found.place.key.split(' ');
    onAnswer?.(method, path, status, (performance.now() - startMs) / 1000);
  };
  try {
    if (found === undefined) throw unknownRoute(request);
    const status = await carryOut(found, request, response, from, invalid);
    if (status !== undefined) told(status);
  } catch (thrown) {
    if (!(thrown instanceof MeshError)) onFault(thrown);
    told(sendError(response, MeshError.from(thrown)));
  }
}

/** @returns the status of an answer that is no stream */
async function carryOut<C>(
  { place, values }: Found<C>,
  request: HttpRequest,
  response: HttpResponse,
  from: C,
  invalid: ErrorCode,
): Promise<number | undefined> {
  const { route, names, handler } = place;
  const path = Object.fromEntries(names.map((name, index) => [name, values[index]]));
  const fitting = await readRequest(route, request, path, invalid);
  const asked = { ...fitting, headers: request.headers, lines: request.body, from };
  const answer: Answer = route.answer;
  switch (answer.kind) {
    case 'document': {
      const document = await handler(asked, noStream);
      const status = answer.statusOf?.(document) ?? 200;
      await sendDocument(response, status, document);
      return status;
    }
    case 'nothing':
      await handler(asked, noStream);
      response.send(204, NO_STORE, '');
      return 204;
    case 'text': {
      const sent = await handler(asked, noStream);
      if (!isText(sent)) throw new TypeError(`${place.key} gives no text`);
      response.send(sent.status ?? 200, sent.headers, sent.text);
      return sent.status ?? 200;
    }
    case 'events': {
      const open = () => new EventStream(response.begin(200, { ...NO_STORE, 'content-type': 'text/event-stream' }));
      await handler(asked, open);
      return undefined;
    }
    case 'lines':
    case 'conversation':
    case 'bytes': {
      const type = answer.kind === 'bytes' ? answer.mediaType : 'application/x-ndjson';
      const open = () => response.begin(200, { ...NO_STORE, 'content-type': type });
      await handler(asked, open);
      return undefined;
    }
  }
}

const NO_STORE = { 'cache-control': 'no-store' } as const;

function noStream(): never {
  throw new TypeError('the route has no stream');
}

function isText(value: unknown): value is SentText {
  return typeof value === 'object' && value !== null && 'text' in value;
}

function unknownRoute({ method, url }: Pick<HttpRequest, 'method' | 'url'>): MeshError {
  const path = pathIn(url).slice(0, 100);
  return new MeshError('MESH_OBJECT_UNKNOWN', `there is no ${method} ${path}`, { object: path });
}
