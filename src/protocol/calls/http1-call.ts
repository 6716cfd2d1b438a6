/** Sends calls by HTTP/1.1, over a Unix socket or TCP, each on a connection of its own. */
import type { RequestOptions } from 'node:http';
import { request } from '../http/http.ts';
import type { Answered, Call } from './route-client.ts';

/** Where a call goes. */
export type CallTarget = Pick<RequestOptions, 'socketPath' | 'host' | 'port' | 'localAddress'>;

/** A peer that sent no byte for the time of a call. */
export class SilentPeer extends Error {
  readonly timeoutMs: number;

  constructor(timeoutMs: number) {
    super(`no answer within ${timeoutMs / 1000} s`);
    this.timeoutMs = timeoutMs;
  }
}

/** A peer that ended the connection without an answer, such as one that answers «101 Switching Protocols». */
export class ClosedConnection extends Error {
  constructor() {
    super('it closes the connection');
  }
}

/**
 * Sends a call.
 * @throws SilentPeer, ClosedConnection, or the error of the socket
 */
export function callByHttp1(target: CallTarget, call: Call, usualTimeoutMs: number): Promise<Answered> {
  const { promise, resolve, reject } = Promise.withResolvers<Answered>();
  const { method, path, body, signal, timeoutMs: timeout = usualTimeoutMs } = call;
  // Node leaves the length out for methods that usually have no body; the body would be taken for another request.
  const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
  const headers = { ...call.headers, ...length };
  const outgoing = request({ ...target, agent: false, method, path, headers, timeout, signal });
  outgoing.once('response', (response) =>
    resolve({ status: response.statusCode ?? 0, headers: response.headers, body: response }),
  );
  outgoing.once('timeout', () => outgoing.destroy(new SilentPeer(timeout)));
  outgoing.once('error', reject);
  outgoing.once('close', () => reject(new ClosedConnection()));
  outgoing.end(body);
  return promise;
}
