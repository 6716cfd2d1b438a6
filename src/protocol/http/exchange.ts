/** A request and its answer, of HTTP/1.1 or HTTP/2, as the server of a table sees them. */

import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';
import type { Readable, Writable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { type ErrorCode, MeshError } from '../../model/error.ts';

/** A request. */
export interface HttpRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readable;
}

/** An answer. */
export interface HttpResponse {
  /** Sends a whole answer. */
  send(status: number, headers: OutgoingHttpHeaders, text: string | Buffer): void;
  /** Sends the head at once. @returns the body, which is to be ended */
  begin(status: number, headers: OutgoingHttpHeaders): Writable;
  /** Breaks off what was begun; nothing happens to an answer that was not. @returns whether something was begun */
  breakOff(): boolean;
}

/** Answers a request. What it throws becomes the answer. */
export type HttpHandler = (request: HttpRequest, response: HttpResponse) => Promise<void>;

/** The request of a server of node:http. */
export function http1Request(request: IncomingMessage): HttpRequest {
  return { method: request.method ?? '', url: request.url ?? '/', headers: request.headers, body: request };
}

/** The answer of a server of node:http. */
export function http1Response(response: ServerResponse): HttpResponse {
  return {
    send: (status, headers, text) => {
      const length = status === 204 || status === 304 ? {} : { 'content-length': Buffer.byteLength(text) };
      response.writeHead(status, { ...headers, ...length }).end(text);
    },
    begin: (status, headers) => {
      response.writeHead(status, headers).flushHeaders();
      return response;
    },
    breakOff: () => {
      if (response.headersSent) response.destroy();
      return response.headersSent;
    },
  };
}

/** The answer on a stream of HTTP/2. */
export function http2Response(stream: ServerHttp2Stream): HttpResponse {
  return {
    send: (status, headers, text) => {
      stream.respond({ ...headers, ':status': status });
      stream.end(text);
    },
    begin: (status, headers) => {
      stream.respond({ ...headers, ':status': status });
      return stream;
    },
    breakOff: () => {
      if (stream.headersSent) stream.destroy();
      return stream.headersSent || stream.destroyed;
    },
  };
}

/** A body that was longer than its bound. */
class TooLong extends Error {}

/**
 * The text of a body. What comes after the bound is thrown away, so that the sender gets its answer.
 * @param code of the errors
 * @throws MESH_USAGE, or `code`, when the body is longer than `maxBytes` or ends early
 */
export function bodyText(body: Readable, maxBytes: number, code: ErrorCode = 'MESH_USAGE'): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const chunks: Buffer[] = [];
  let length = 0;
  const take = (chunk: Buffer): void => {
    length += chunk.length;
    if (length <= maxBytes) {
      chunks.push(chunk);
      return;
    }
    body.off('data', take).resume();
    reject(new MeshError(code, `the body is longer than ${maxBytes} bytes`, { cause: new TooLong() }));
  };
  const early = (cause?: unknown): void => reject(new MeshError(code, 'the body ended early', { cause }));
  body.on('data', take);
  body.on('error', early);
  body.once('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
  body.once('close', () => early());
  return promise;
}

/** Answers with a document. */
export async function sendDocument(response: HttpResponse, status: number, document: unknown): Promise<void> {
  const headers = { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' };
  response.send(status, headers, await textOf(document));
}

/** Objects that are written at once, in some milliseconds. Ten thousand networks take a tenth of a second. */
const WRITTEN_AT_ONCE = 500;

/** The text of a document. A long list is written in parts, between which the process answers others. */
async function textOf(document: unknown): Promise<string> {
  if (!Array.isArray(document) || document.length <= WRITTEN_AT_ONCE) return JSON.stringify(document);
  const texts: string[] = [];
  for (let at = 0; at < document.length; at += WRITTEN_AT_ONCE) {
    texts.push(JSON.stringify(document.slice(at, at + WRITTEN_AT_ONCE)).slice(1, -1));
    await setImmediate();
  }
  return `[${texts.join()}]`;
}

/**
 * The one answer to a request that failed: the error as a document, with the status of its code. Never throws.
 * @returns the status
 */
export function sendError(response: HttpResponse, error: MeshError): number {
  const status = error.cause instanceof TooLong ? 413 : error.httpStatus;
  if (response.breakOff()) return status;
  const headers = {
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
    ...(status === 503 && { 'retry-after': '1' }),
  };
  try {
    response.send(status, headers, JSON.stringify(error));
  } catch {
    response.breakOff();
  }
  return status;
}
