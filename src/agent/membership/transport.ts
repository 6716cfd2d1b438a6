/** What the agent needs of HTTP: short requests with a deadline, and event streams that are dead when they are silent. */
import type { MeshError } from '../../model/error.ts';
import type { SseMessage } from '../../protocol/documents/sse.ts';

/** Where requests go: a TCP address inside a mesh, or a unix socket. */
export type Target = { readonly host: string; readonly port: number } | { readonly socketPath: string };

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

export interface StreamHandlers {
  readonly onMessage: (message: SseMessage) => void;
  /** Called after whatever came, a comment too: the other end is there. */
  readonly onHeard?: () => void;
  /** Called once, whoever ended it; with the reason unless `close` was called. */
  readonly onEnd: (reason: MeshError | undefined) => void;
}

export interface EventSubscription {
  close(): void;
}

export interface Exchange {
  readonly method: 'GET' | 'PUT';
  readonly path: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** From the start to a connection: the other kernel's work, so short. */
  readonly connectTimeoutMs: number;
  /** From the start to the whole answer. */
  readonly timeoutMs: number;
}

export interface StreamRequest {
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** So long without a byte, and the stream counts as dead. */
  readonly silenceMs: number;
}

export interface Transport {
  /** @throws MESH_HOST0_UNREACHABLE when no whole answer came within the time */
  exchange(target: Target, exchange: Exchange): Promise<HttpAnswer>;
  openStream(target: Target, request: StreamRequest, handlers: StreamHandlers): EventSubscription;
}
