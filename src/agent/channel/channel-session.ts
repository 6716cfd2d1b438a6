/** The node's end of one channel: HTTP/2 on a connection to host0, with the node as the server. */
import {
  type IncomingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { MeshError } from '../../model/error.ts';
import { type HttpHandler, http2Response, sendError } from '../../protocol/http/exchange.ts';

/** host0 keeps a stream for the status, and has few requests beside it: captures, a trace, an assignment, viewers of consoles. */
const STREAMS_MAX = 128;

/** What a session is made of. */
export interface ChannelSessionInput {
  readonly socket: TLSSocket;
  readonly handler: HttpHandler;
  /** Called with each sign of life of host0: a ping or a request. */
  readonly onHeard: () => void;
  /** Called once, when the session has ended for any reason. */
  readonly onEnd: () => void;
  /** Called with what a handler threw and is no MeshError. */
  readonly onFault: (thrown: unknown) => void;
}

/** Answers host0's requests until either end closes the connection. @returns the session, whose `destroy` ends it */
export function channelSession(input: ChannelSessionInput): ServerHttp2Session {
  const { socket, onHeard, onEnd } = input;
  // The end of a stream's window is told in a small packet, for which the other end waits.
  socket.setNoDelay();
  const session = performServerHandshake(socket, {
    settings: { enablePush: false, maxConcurrentStreams: STREAMS_MAX, enableConnectProtocol: false },
  });
  session.on('ping', onHeard);
  // `close` follows each error.
  session.on('error', () => session.destroy());
  session.once('close', () => {
    socket.destroy();
    onEnd();
  });
  session.on('stream', (stream, headers) => {
    onHeard();
    void answer(input, headers, stream);
  });
  return session;
}

async function answer(
  { handler, onFault }: ChannelSessionInput,
  headers: IncomingHttpHeaders,
  stream: ServerHttp2Stream,
): Promise<void> {
  const { ':method': method = '', ':path': url = '' } = headers;
  const response = http2Response(stream);
  // A stream that host0 gives up is no fault.
  stream.on('error', () => stream.destroy());
  try {
    await handler({ method, url, headers, body: stream }, response);
  } catch (thrown) {
    if (stream.destroyed) return;
    if (!(thrown instanceof MeshError)) onFault(thrown);
    sendError(response, MeshError.from(thrown));
  }
}
