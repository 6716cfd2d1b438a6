/** The agent's HTTP client over TCP or a unix socket. */
import type { ClientRequest, IncomingMessage } from 'node:http';
import { MeshError } from '../../model/error.ts';
import { SseParser } from '../../protocol/documents/sse.ts';
import { request } from '../../protocol/http/http.ts';
import type {
  EventSubscription,
  Exchange,
  HttpAnswer,
  StreamHandlers,
  StreamRequest,
  Target,
  Transport,
} from './transport.ts';

/** The transport that the agent's process uses. */
export const httpTransport: Transport = { exchange, openStream };

/** Enough for a list of thousands of members. host0 never answers with more. */
const MAX_BODY_BYTES = 4 * 1024 * 1024;

function send(
  target: Target,
  { method, path, body, headers }: Omit<Exchange, 'connectTimeoutMs' | 'timeoutMs'>,
): ClientRequest {
  // A new connection each time: a kept one may belong to a host0 that is no longer there.
  const outgoing = request({
    ...target,
    method,
    path,
    agent: false,
    headers: {
      ...headers,
      ...(body !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
    },
  });
  outgoing.end(body);
  return outgoing;
}

function exchange(target: Target, request_: Exchange): Promise<HttpAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
  const outgoing = send(target, request_);
  const giveUp = (what: string, ms: number) =>
    setTimeout(() => outgoing.destroy(new Error(`no ${what} within ${ms} ms`)), ms);
  const connecting = giveUp('connection', request_.connectTimeoutMs);
  const answering = giveUp('answer', request_.timeoutMs);
  outgoing.on('socket', (socket) => socket.once('connect', () => clearTimeout(connecting)));
  outgoing.on('error', (error) => reject(unreachable(target, error)));
  outgoing.on('close', () => {
    clearTimeout(connecting);
    clearTimeout(answering);
    // An answer such as «101 Switching Protocols» closes the connection without an error or a response.
    reject(unreachable(target, new Error('it closed the connection')));
  });
  outgoing.on('response', (response) => {
    let text = '';
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      text += chunk;
      if (text.length > MAX_BODY_BYTES) outgoing.destroy(new Error('the answer is too large'));
    });
    response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }));
    response.on('error', (error) => reject(unreachable(target, error)));
  });
  return promise;
}

function openStream(
  target: Target,
  { path, headers, silenceMs, messageMaxLength }: StreamRequest,
  handlers: StreamHandlers,
): EventSubscription {
  const outgoing = send(target, { method: 'GET', path, ...(headers !== undefined && { headers }) });
  const parser = new SseParser(messageMaxLength);
  let ended = false;
  const end = (reason: MeshError | undefined) => {
    if (ended) return;
    ended = true;
    outgoing.destroy();
    handlers.onEnd(reason);
  };
  outgoing.setTimeout(silenceMs, () => end(unreachable(target, new Error(`silent for ${silenceMs} ms`))));
  outgoing.on('error', (error) => end(unreachable(target, error)));
  outgoing.on('close', () => end(unreachable(target, new Error('it closed the connection'))));
  outgoing.on('response', (response) => readStream(response, parser, handlers, end, target));
  return { close: () => end(undefined) };
}

function readStream(
  response: IncomingMessage,
  parser: SseParser,
  handlers: StreamHandlers,
  end: (reason: MeshError | undefined) => void,
  target: Target,
): void {
  if (response.statusCode !== 200) {
    end(unreachable(target, new Error(`it answered ${response.statusCode}`)));
    return;
  }
  response.setEncoding('utf8');
  response.on('data', (chunk: string) => {
    try {
      for (const message of parser.push(chunk)) handlers.onMessage(message);
      handlers.onHeard?.();
    } catch (error) {
      end(malformedStream(error));
    }
  });
  response.on('close', () => end(unreachable(target, new Error('it closed the stream'))));
}

function unreachable(target: Target, cause: unknown): MeshError {
  const where = 'socketPath' in target ? target.socketPath : `[${target.host}]:${target.port}`;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new MeshError('MESH_HOST0_UNREACHABLE', `host0 does not answer at ${where}: ${reason}`, {
    cause,
    retryable: true,
    remedy:
      'Check that host0 is up (`mesh system status` there) and that UDP 4789 passes between the machines; `mesh doctor` here looks for the cause.',
  });
}

function malformedStream(cause: unknown): MeshError {
  return new MeshError(
    'MESH_HOST0_MALFORMED',
    `host0 sent a stream that cannot be read: ${MeshError.from(cause).message}`,
    {
      cause,
      object: 'host0',
      retryable: true,
      remedy: 'Run `mesh doctor`: another machine may answer as host0, or host0 runs another version.',
    },
  );
}
