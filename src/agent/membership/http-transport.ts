/** The agent's way to host0's lists and streams by HTTP, over TCP or a unix socket. */
import type { Readable } from 'node:stream';
import { MeshError } from '../../model/error.ts';
import { callByHttp1, SilentPeer } from '../../protocol/calls/http1-call.ts';
import { SseParser } from '../../protocol/documents/sse.ts';
import { wholeText } from '../../protocol/http/whole-text.ts';
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

/** A new connection each time: a kept one may belong to a host0 that is no longer there. */
async function exchange(target: Target, request: Exchange): Promise<HttpAnswer> {
  const { method, path, body, headers, connectTimeoutMs, timeoutMs } = request;
  const signal = AbortSignal.timeout(timeoutMs);
  const kind = body === undefined ? {} : { 'content-type': 'application/json' };
  const call = { method, path, headers: { ...headers, ...kind }, body, timeoutMs: 0, signal } as const;
  try {
    const answered = await callByHttp1(target, { ...call, isStream: false, staysOpen: false }, 0, connectTimeoutMs);
    const text = await wholeText(answered.body, MAX_BODY_BYTES);
    if (text === undefined) throw new Error('the answer is too large');
    return { status: answered.status, body: text };
  } catch (error) {
    throw unreachable(target, signal.aborted ? new SilentPeer(timeoutMs) : error);
  }
}

function openStream(
  target: Target,
  { path, headers = {}, silenceMs, messageMaxLength }: StreamRequest,
  handlers: StreamHandlers,
): EventSubscription {
  const closing = new AbortController();
  let ended = false;
  const end = (reason: MeshError | undefined) => {
    if (ended) return;
    ended = true;
    closing.abort();
    handlers.onEnd(reason);
  };
  const lost = (error: unknown) => end(unreachable(target, error));
  const call = { method: 'GET', path, headers, body: undefined, timeoutMs: silenceMs, signal: closing.signal } as const;
  callByHttp1(target, { ...call, isStream: true, staysOpen: false }, silenceMs).then(({ status, body }) => {
    if (status === 200) readStream(body, new SseParser(messageMaxLength), handlers, end, lost);
    else lost(new Error(`it answered ${status}`));
  }, lost);
  return { close: () => end(undefined) };
}

function readStream(
  body: Readable,
  parser: SseParser,
  handlers: StreamHandlers,
  end: (reason: MeshError) => void,
  lost: (error: unknown) => void,
): void {
  body.setEncoding('utf8');
  body.on('data', (chunk: string) => {
    try {
      for (const message of parser.push(chunk)) handlers.onMessage(message);
      handlers.onHeard?.();
    } catch (error) {
      end(malformedStream(error));
    }
  });
  body.on('error', lost);
  body.on('close', () => lost(new Error('it closed the stream')));
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
