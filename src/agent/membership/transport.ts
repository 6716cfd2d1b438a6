/**
 * The agent's HTTP client: short requests with a deadline, and event streams that count as dead when they are silent.
 */
import type { MeshError } from '../../model/error.ts';
import type { SseMessage } from '../../protocol/documents/sse.ts';

/** Where requests go: a TCP address inside a mesh, or a unix socket. */
export type Target = { readonly host: string; readonly port: number } | { readonly socketPath: string };

/** A whole HTTP response. `status` is any status code: no code is treated as an error here. */
export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

/** Callbacks of one event stream. */
export interface StreamHandlers {
  readonly onMessage: (message: SseMessage) => void;
  /**
   * Called after the messages of each chunk of bytes, and after a comment too: it shows that the other end is alive.
   */
  readonly onHeard?: () => void;
  /**
   * Called once when the stream has ended: with MESH_HOST0_UNREACHABLE or MESH_HOST0_MALFORMED, or with undefined after
   * `close`.
   */
  readonly onEnd: (reason: MeshError | undefined) => void;
}

/** An open event stream. */
export interface EventSubscription {
  /** Ends the stream; `onEnd` is called at once. */
  close(): void;
}

/** One request with its deadlines. */
export interface Exchange {
  readonly method: 'GET' | 'PUT';
  readonly path: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** From the start to the connection. It may be short, since the other kernel accepts without its process. */
  readonly connectTimeoutMs: number;
  /** From the start to the whole answer. */
  readonly timeoutMs: number;
}

/** The request that opens an event stream. */
export interface StreamRequest {
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** After this time without a byte, the stream counts as dead. */
  readonly silenceMs: number;
  /** The longest message, in characters. A longer one ends the stream with MESH_HOST0_MALFORMED. */
  readonly messageMaxLength: number;
}

/** How the agent speaks to host0: `httpTransport` in a process, a fake in tests. */
export interface Transport {
  /** @throws MESH_HOST0_UNREACHABLE when no whole answer came within the time */
  exchange(target: Target, exchange: Exchange): Promise<HttpAnswer>;
  /** Opens an event stream. A failed connection is reported to `onEnd`. */
  openStream(target: Target, request: StreamRequest, handlers: StreamHandlers): EventSubscription;
}
