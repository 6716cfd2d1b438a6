/** host0's simulated control socket, for the agent on host0: no message is lost, and a dying process closes its end. */
import type {
  EventSubscription,
  Exchange,
  HttpAnswer,
  StreamHandlers,
  StreamRequest,
  Target,
  Transport,
} from '../../src/agent/membership/transport.ts';
import type { Controller } from '../../src/controller/controller.ts';
import { MeshError } from '../../src/model/error.ts';
import { STREAM_COMMENT_MS } from '../../src/protocol/documents/membership.ts';
import type { SseMessage } from '../../src/protocol/documents/sse.ts';
import type { SelfStatus } from '../../src/protocol/documents/views.ts';
import type { ProcessClock } from './sim-clock.ts';

/** The daemon's side of the socket. */
export interface ControlServer {
  readonly clock: ProcessClock;
  readonly controller: Controller;
  /** Calls `ended` when the process dies. @returns a function that ends the subscription */
  onEnd(ended: () => void): () => void;
}

/** One way through a Unix socket, with the wake-up of the other process. */
const SOCKET_MS = 0.1;

/** The agent's side of the socket. */
export class ControlSocket implements Transport {
  readonly #clock: ProcessClock;
  readonly #server: () => ControlServer | undefined;

  constructor(clock: ProcessClock, server: () => ControlServer | undefined) {
    this.#clock = clock;
    this.#server = server;
  }

  async exchange(_target: Target, { body = '{}' }: Exchange): Promise<HttpAnswer> {
    await this.#clock.pause(SOCKET_MS);
    const server = this.#server();
    if (server === undefined) throw refused();
    server.controller.selfReported(JSON.parse(body) as SelfStatus);
    return { status: 204, body: '' };
  }

  openStream(_target: Target, { silenceMs }: StreamRequest, handlers: StreamHandlers): EventSubscription {
    let ended = false;
    let unfollow = () => {};
    let heardMs = this.#clock.nowMs();
    const heard = () => {
      heardMs = this.#clock.nowMs();
      handlers.onHeard?.();
    };
    const watchSilence = () => {
      this.#clock.after(heardMs + silenceMs - this.#clock.nowMs(), () => {
        if (ended) return;
        if (this.#clock.nowMs() - heardMs < silenceMs) watchSilence();
        else end(silent(silenceMs));
      });
    };
    const end = (reason: MeshError | undefined) => {
      if (ended) return;
      ended = true;
      unfollow();
      handlers.onEnd(reason);
    };
    this.#clock.after(SOCKET_MS, () => {
      const server = this.#server();
      if (server === undefined) return end(refused());
      const forget = server.onEnd(() => this.#clock.after(SOCKET_MS, () => end(refused())));
      let pending: SseMessage[] = [];
      const stop = server.controller.followAssignment(({ event, data }) => {
        pending.push({ event, data: JSON.stringify(data) });
        if (pending.length > 1) return;
        this.#clock.after(SOCKET_MS, () => {
          const messages = pending;
          pending = [];
          if (ended) return;
          for (const message of messages) handlers.onMessage(message);
          heard();
        });
      });
      // On the server's own clock: a server that gets no CPU sends nothing.
      const comment = () => {
        if (ended) return;
        void this.#clock.arrival(SOCKET_MS).then(() => !ended && heard());
        server.clock.after(STREAM_COMMENT_MS, comment);
      };
      server.clock.after(STREAM_COMMENT_MS, comment);
      unfollow = () => {
        forget();
        stop();
      };
    });
    watchSilence();
    return { close: () => end(undefined) };
  }
}

function silent(silenceMs: number): MeshError {
  return new MeshError('MESH_HOST0_UNREACHABLE', `silent for ${silenceMs} ms`, { retryable: true });
}

function refused(): MeshError {
  return new MeshError('MESH_HOST0_UNREACHABLE', 'the control socket does not answer', { retryable: true });
}
