/** One HTTP GET to another process on this machine or in a mesh. */
import type { RequestOptions } from 'node:http';
import { request } from '../../protocol/http/http.ts';

/** The whole answer, with any status. */
export interface PeerAnswer {
  readonly status: number;
  readonly body: string;
  /** The other clock by the Date header, to the second (RFC 9110 §6.6.1); undefined when it is missing or malformed. */
  readonly date: Date | undefined;
}

const TIMEOUT_MS = 2_000;
const MAX_BODY_BYTES = 4 * 1024 * 1024;

/**
 * Asks for a path over TCP or a unix socket. Never rejects.
 * @returns the answer, or a text that says why there is none
 */
export function ask(
  target: Pick<RequestOptions, 'host' | 'port' | 'localAddress' | 'socketPath' | 'path'>,
  timeoutMs = TIMEOUT_MS,
): Promise<PeerAnswer | string> {
  const { promise, resolve } = Promise.withResolvers<PeerAnswer | string>();
  const signal = AbortSignal.timeout(timeoutMs);
  const failed = (error: Error) => resolve(signal.aborted ? `silent for ${timeoutMs / 1000} s` : error.message);
  const outgoing = request({ ...target, agent: false, signal });
  outgoing.on('error', failed);
  outgoing.on('response', (response) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > MAX_BODY_BYTES) outgoing.destroy(new Error('the answer is too large'));
      else chunks.push(chunk);
    });
    response.on('error', failed);
    response.on('end', () => {
      const date = new Date(response.headers.date ?? '');
      resolve({
        status: response.statusCode ?? 0,
        body: Buffer.concat(chunks).toString('utf8'),
        date: Number.isNaN(date.getTime()) ? undefined : date,
      });
    });
  });
  // An answer such as «101 Switching Protocols» closes the connection without an error or a response.
  outgoing.on('close', () => failed(new Error('it closed the connection')));
  outgoing.end();
  return promise;
}
