/**
 * Routes as data: what may be asked of a server, and what it answers. Servers, clients, OpenAPI and the reference page read
 * the same tables.
 *
 * A table has a route for each key `METHOD /path/{parameter}`. Handlers and calls are checked against it by the compiler.
 */
import type { ErrorCode } from '../../model/error.ts';
import * as form from '../shapes/form.ts';

/** The methods of our servers. */
export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
/** A method, and a path with its parameters in braces: `PUT /v1/ports/{interface}`. */
export type RouteKey = `${Method} /${string}`;

/** One document, as JSON. */
export interface DocumentAnswer<T> {
  readonly kind: 'document';
  readonly form: form.Shape<T>;
  /** The status of an answer that does not have 200. The document says the same. */
  statusOf?(document: T): number;
  /** The other statuses that `statusOf` gives. */
  readonly statuses?: readonly number[];
}

/** No document: the status alone says that all is done. */
export interface NothingAnswer {
  readonly kind: 'nothing';
}

/** A text that is no JSON. */
export interface TextAnswer {
  readonly kind: 'text';
  /** The media types; which of them, says the request's `accept`. */
  readonly mediaTypes: readonly string[];
  readonly statuses?: readonly number[];
}

/** Server-sent events: the form of the data of each event, by the event's name. */
export interface EventsAnswer<T> {
  readonly kind: 'events';
  readonly forms: { readonly [event: string]: form.Shape<T> };
}

/** A document in each line, without an end. */
export interface LinesAnswer<T> {
  readonly kind: 'lines';
  readonly form: form.Shape<T>;
}

/** Lines in both directions: the body of the request stays open, too. */
export interface ConversationAnswer<T> {
  readonly kind: 'conversation';
  /** The lines of the server. */
  readonly form: form.Shape<T>;
  /** The lines of the client. */
  readonly asked: form.Shape<unknown>;
}

/** Bytes without an end. */
export interface BytesAnswer {
  readonly kind: 'bytes';
  readonly mediaType: string;
}

/** What a route answers when nothing is wrong. */
export type Answer =
  | DocumentAnswer<unknown>
  | NothingAnswer
  | TextAnswer
  | EventsAnswer<unknown>
  | LinesAnswer<unknown>
  | ConversationAnswer<unknown>
  | BytesAnswer;

/** One route. */
export interface ApiRoute {
  /** What it does or gives, in one sentence. */
  readonly summary: string;
  /** The forms of the parameters in the path. */
  readonly path?: form.Fields;
  /** The forms of the parameters of the query, each of the text. A parameter that is not named is ignored. */
  readonly query?: form.Fields;
  /** The form of the JSON in the request's body. A body is ignored where none is named. */
  readonly body?: form.Shape<unknown>;
  /** The handler gets the text of the body, and reads the text itself. */
  readonly bodyIsText?: true;
  /** The longest body; `BODY_MAX_BYTES` where nothing is said. */
  readonly bodyMaxBytes?: number;
  readonly answer: Answer;
  /** The codes of errors that belong to this route. Each route may also answer those of `COMMON_ERRORS`. */
  readonly errors?: readonly ErrorCode[];
}

/** The routes of one server. */
export type RouteTable = { readonly [K in RouteKey]: ApiRoute };

/** A body without a bound of its own carries some names. */
export const BODY_MAX_BYTES: number = 8 * 1024;
/** Errors of every route: a request that does not fit, one of a web page, and a fault of Meshwork. */
export const COMMON_ERRORS: readonly ErrorCode[] = ['MESH_USAGE', 'MESH_REQUEST_FOREIGN', 'MESH_INTERNAL'];

/** The types of the values that the forms of a route's path or query read. */
export type FieldsOf<F> = F extends form.Fields ? form.TypeOf<form.ObjectShape<F>> : Readonly<Record<never, never>>;

type LeftOut<F> = {
  [K in keyof F]: F[K] extends form.OptionalShape<unknown> | { readonly absent: unknown } ? K : never;
}[keyof F];
/** The same as a caller gives them: a value that the form fills in may be left out. */
export type GivenFields<F> = F extends form.Fields
  ? { readonly [K in Exclude<keyof F, LeftOut<F>>]: form.TypeOf<F[K]> } & {
      readonly [K in LeftOut<F>]?: form.TypeOf<F[K]> | undefined;
    }
  : Readonly<Record<never, never>>;

/** The type of what a route answers; in a stream, of each event or line. */
export type AnswerOf<R> = R extends { readonly answer: infer A }
  ? A extends { readonly kind: 'document' | 'lines' | 'conversation'; readonly form: form.Shape<infer T> }
    ? T
    : A extends { readonly kind: 'events'; readonly forms: { readonly [event: string]: form.Shape<infer T> } }
      ? T
      : A extends NothingAnswer
        ? undefined
        : never
  : never;

/** The routes of a table whose answer is of a kind. */
export type KeysOf<T, Kind extends Answer['kind']> = {
  [K in keyof T]: T[K] extends { readonly answer: { readonly kind: Kind } } ? K : never;
}[keyof T];

/** The answer of a route that gives one document. */
export function document<T>(of: form.Shape<T>): DocumentAnswer<T> {
  return { kind: 'document', form: of };
}

/** The answer of a route that gives a list of documents. */
export function list<T>(of: form.Shape<T>, max: number): DocumentAnswer<readonly T[]> {
  return { kind: 'document', form: form.listOf(of, max) };
}

/** The answer of a route that only does something. */
export const NOTHING: NothingAnswer = { kind: 'nothing' };

/** The answer of a route that streams events with these names. */
export function events<T>(forms: { readonly [event: string]: form.Shape<T> }): EventsAnswer<T> {
  return { kind: 'events', forms };
}

/** The answer of a route that streams lines. */
export function lines<T>(of: form.Shape<T>): LinesAnswer<T> {
  return { kind: 'lines', form: of };
}

/** The answer of a route that captures. */
export const PCAPNG: BytesAnswer = { kind: 'bytes', mediaType: 'application/x-pcapng' };

/** A switch in a query: `1` or `0`, which a request without it means. */
export const SwitchShape: form.Shape<boolean> & { readonly absent: boolean } = switchShape(false);

/** The same with another value for a request without it. */
export function switchShape(absent: boolean): form.Shape<boolean> & { readonly absent: boolean } {
  return form.defaulted(
    form.mapped(form.oneOf(['0', '1']), (word) => word === '1'),
    absent,
  );
}

/** A whole number in a query. */
export function numberInQuery(min: number, max: number): form.Shape<number> {
  return {
    ...form.worded(
      form.refined(
        form.mapped(form.string({ pattern: /^\d{1,15}$/ }), Number),
        (value) => value >= min && value <= max,
      ),
      `A whole number from ${min} to ${max}.`,
    ),
    outline: { kind: 'whole', min, max },
  };
}

/** A name in a path or a query. */
export function nameShape(max: number): form.Shape<string> {
  return form.refined(form.string({ max }), (text) => text.length > 0);
}
