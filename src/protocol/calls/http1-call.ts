/** Sends calls by HTTP/1.1, over a Unix socket or TCP, each on a connection of its own. */
import type { RequestOptions } from 'node:http';
import { request } from '../http/http.ts';
import type { Answered, Call } from './route-client.ts';

/** Where a call goes. */
export type CallTarget = Pick<RequestOptions, 'socketPath' | 'host' | 'port' | 'localAddress'>;

/** Without it Node derives a name for TLS from the host: the expression that tells addresses from names takes ten milliseconds to compile. */
const NO_TLS = { servername: '' };

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
 * @param connectTimeoutMs the call fails when there is no connection after this time
 * @throws SilentPeer, ClosedConnection, or the error of the socket
 */
export function callByHttp1(
  target: CallTarget,
  call: Call,
  usualTimeoutMs: number,
  connectTimeoutMs?: number,
): Promise<Answered> {
  const { promise, resolve, reject } = Promise.withResolvers<Answered>();
  const { method, path, body, signal, timeoutMs: timeout = usualTimeoutMs } = call;
  // Node leaves the length out for methods that usually have no body; the body would be taken for another request.
  const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
  const headers = { ...call.headers, ...length };
  const outgoing = request({ ...target, ...NO_TLS, agent: false, method, path, headers, timeout, signal });
  const connecting =
    connectTimeoutMs && setTimeout(() => outgoing.destroy(new SilentPeer(connectTimeoutMs)), connectTimeoutMs);
  if (connecting) outgoing.once('socket', (socket) => socket.once('connect', () => clearTimeout(connecting)));
  outgoing.once('response', (response) => {
    outgoing.once('timeout', () => response.destroy(new SilentPeer(timeout)));
    resolve({ status: response.statusCode ?? 0, headers: response.headers, body: response });
  });
  outgoing.once('timeout', () => outgoing.destroy(new SilentPeer(timeout)));
  outgoing.once('error', reject);
  outgoing.once('close', () => {
    if (connecting) clearTimeout(connecting);
    reject(new ClosedConnection());
  });
  outgoing.end(body);
  return promise;
}
