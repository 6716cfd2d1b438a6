/**
 * Whether this machine's own host0 leads, where several machines can be host0. While it does, the agent gives this machine host0's
 * addresses, and reaches host0 by Unix sockets: a machine sends no frame to itself.
 */
import { join } from 'node:path';
import { errnoOf } from '../../formats/conf/conf-reader.ts';
import type { Alarm, Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { Signal, type Subscribable } from '../../model/signal.ts';
import type { Segment, UnderlayNic } from '../../protocol/documents/assignment.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import { LeadershipShape } from '../../protocol/shapes/view-shapes.ts';
import type { Target, Transport } from './transport.ts';

/** What the seat is followed with. */
export interface Host0SeatInput {
  /** The control socket of this machine's host0. */
  readonly controlSock: string;
  /** The directory of the sockets at which a host0 that leads answers its own machine. */
  readonly sockets: string;
  readonly clock: Clock;
  readonly transport: Transport;
}

const LOOK_MS = 300;
const ANSWER_MS = 1_000;
/**
 * The lease of a host0 that was killed, or stands still, ends 3 to 4 s later. Before that, no other leads, and this machine must have
 * given up the addresses. A host0 that only answers late on a busy machine keeps them.
 */
const SILENCE_MS = 1_500;

/** What a machine has as host0. */
export interface Seat {
  /** The subnets that nodes can be on. */
  readonly segments: readonly Segment[];
  /** The NICs that the agent sets up for booting machines. */
  readonly nics: readonly UnderlayNic[];
}

/** Asks host0's daemon again and again. */
export class Host0Seat {
  readonly #input: Host0SeatInput;
  readonly #changes = new Signal<void>();
  /** Emits when this machine begins and ceases to be host0, and when its segments change. */
  readonly changes: Subscribable<void> = this.#changes;
  #taken: Seat | undefined;
  #text = 'null';
  /** When the question was asked that was answered last with a lease. */
  #heardMs = Number.NEGATIVE_INFINITY;
  #alarm: Alarm | undefined;
  #closed = false;

  constructor(input: Host0SeatInput) {
    this.#input = input;
  }

  /** What this machine has as host0; undefined while its host0 does not lead. */
  get taken(): Seat | undefined {
    return this.#taken;
  }

  /** Looks once, and then until it is closed. Never rejects. */
  async start(): Promise<void> {
    const { clock } = this.#input;
    const taken = await this.#ask().catch((thrown: unknown) => {
      const isOver = hasEnded(thrown) || clock.nowMs() - this.#heardMs > SILENCE_MS;
      return isOver ? undefined : this.#taken;
    });
    if (this.#closed) return;
    const text = JSON.stringify(taken ?? null);
    this.#alarm = clock.after(LOOK_MS, () => void this.start());
    if (text === this.#text) return;
    this.#text = text;
    this.#taken = taken;
    this.#changes.emit();
  }

  close(): void {
    this.#closed = true;
    this.#alarm?.cancel();
  }

  /** Where a request to host0 goes: to this machine's own host0 while it leads. */
  placeOf(target: Target): Target {
    if (this.#taken === undefined || 'socketPath' in target) return target;
    return { socketPath: join(this.#input.sockets, `${target.host}.sock`) };
  }

  /** The socket for the channel of this machine; undefined while its host0 does not lead. */
  get channelSocket(): string | undefined {
    return this.#taken === undefined ? undefined : join(this.#input.sockets, 'channel.sock');
  }

  /** A transport that reaches host0 wherever it is. */
  get transport(): Transport {
    const { transport } = this.#input;
    return {
      exchange: (target, exchange) => transport.exchange(this.placeOf(target), exchange),
      openStream: (target, request, handlers) => transport.openStream(this.placeOf(target), request, handlers),
    };
  }

  async #ask(): Promise<Seat | undefined> {
    const { controlSock, transport, clock } = this.#input;
    const askedMs = clock.nowMs();
    const { status, body } = await transport.exchange(
      { socketPath: controlSock },
      { method: 'GET', path: '/v1/leadership', connectTimeoutMs: ANSWER_MS, timeoutMs: ANSWER_MS },
    );
    const { document } = readDocument(LeadershipShape, body);
    if (status !== 200 || document?.state !== 'leads') return undefined;
    this.#heardMs = askedMs;
    return { segments: document.segments ?? [], nics: document.nics ?? [] };
  }
}

/**
 * Whether nobody listens at the control socket: the daemon has ended. One that ended in order gave its lease back, and another may
 * lead at once.
 */
function hasEnded(thrown: unknown): boolean {
  const errno = errnoOf(thrown instanceof MeshError ? thrown.cause : thrown);
  return errno === 'ECONNREFUSED' || errno === 'ENOENT';
}
