/**
 * A client's connection on the server: its calls are answered, and events are sent to it. A client that floods waits in its own
 * socket, and one that stops reading, or sends what is no frame, is cut off. Other clients notice nothing.
 */
import type { Socket } from 'node:net';
import type { Alarm, Clock } from '../../model/clock.ts';
import type { EventMessage } from '../calls/call.ts';
import { encode } from '../xdr/codec.ts';
import { XdrFault } from '../xdr/xdr-fault.ts';
import { FRAME_STATUS, FRAME_TYPE, type Frame, FrameReader, frameBytes } from './frame.ts';
import { Keepalive } from './keepalive.ts';
import type { ServerLimits } from './limits.ts';
import { rpcError } from './procedure.ts';
import { KEEPALIVE, REMOTE } from './programs.ts';
import { VIR_ERROR, type VirError } from './vir-error.ts';

/** Events have this serial; clients do not look at it. */
const EVENT_SERIAL = 1;

/** As many frames are taken in one turn of the event loop: then timers, and other clients, have theirs. */
const FRAMES_A_TURN = 8;

/** An event that waits for the answers to the calls before it. */
interface HeldEvent {
  readonly bytes: Buffer;
  /** The number of the next call, when the event came. */
  readonly before: number;
}

/** Answers the calls of one client. */
export interface CallAnswerer {
  /** The answer's payload. @throws anything, which `errorOf` makes into an error for the client */
  answer(procedure: number, payload: Buffer): Promise<Buffer>;
  errorOf(thrown: unknown): VirError;
  /** Whether the client has opened its connection: one that does not keeps its place no longer than it may. */
  readonly isOpen: boolean;
  closed(): void;
}

/** What a connection needs. */
export interface ServerConnectionInput {
  readonly socket: Socket;
  readonly clock: Clock;
  readonly limits: ServerLimits;
  /** Makes what answers the calls of this client. */
  readonly answerer: (connection: ServerConnection) => CallAnswerer;
  /** Called when more waits for the client, or of it. */
  readonly onHeld: () => void;
  /** @param why the client was cut off; absent: it went by itself */
  readonly onClosed: (why: string | undefined) => void;
}

/** One client. */
export class ServerConnection {
  readonly #input: ServerConnectionInput;
  readonly #answerer: CallAnswerer;
  readonly #frames: FrameReader;
  readonly #keepalive: Keepalive;
  /** The numbers of the calls that run, in the order in which they came. */
  readonly #running = new Set<number>();
  #nextCall = 0;
  /** The next turn, while one is asked for. */
  #turn: NodeJS.Immediate | undefined;
  #held: HeldEvent[] = [];
  #heldBytes = 0;
  #patience: Alarm | undefined;
  #opening: Alarm | undefined;
  #why: string | undefined;
  #ended = false;

  constructor(input: ServerConnectionInput) {
    this.#input = input;
    const { socket, clock, limits } = input;
    this.#frames = new FrameReader(limits.requestBytes);
    this.#keepalive = new Keepalive({
      clock,
      send: (frame) => this.#write(frameBytes(frame)),
      lost: () => this.cut('it answers no pings'),
    });
    this.#answerer = input.answerer(this);
    this.#opening = clock.after(limits.patienceMs, () => {
      if (!this.#answerer.isOpen) this.cut('it has not opened its connection');
    });
    socket.on('data', (piece: Buffer) => {
      this.#frames.push(piece);
      input.onHeld();
      this.#keepalive.heard();
      if (this.#turn === undefined) this.#takeFrames();
      else socket.pause();
    });
    socket.on('drain', () => this.#takeSoon());
    // What the system says of a broken connection is told by 'close', too.
    socket.on('error', () => undefined);
    socket.once('close', () => this.#closed());
  }

  /** What waits: of the client for the rest of a request, and for the client until it reads. */
  get heldBytes(): number {
    return this.#frames.pendingBytes + this.#heldBytes + this.#input.socket.writableLength;
  }

  /** Begins to ping the client. */
  startKeepalive(): void {
    this.#keepalive.start();
  }

  /** Sends an event: behind the answers to the calls that run now, as libvirtd does, and before those to later ones. */
  send<T>({ procedure, body }: EventMessage<T>, value: T): void {
    const { message: type } = FRAME_TYPE;
    const { ok: status } = FRAME_STATUS;
    const bytes = frameBytes({
      ...{ ...REMOTE, procedure, type, serial: EVENT_SERIAL, status },
      payload: encode(body, value),
    });
    if (this.#running.size === 0) {
      this.#write(bytes);
      return;
    }
    this.#held.push({ bytes, before: this.#nextCall });
    this.#heldBytes += bytes.length;
    if (this.#heldBytes > this.#input.limits.unreadBytes) this.cut('it has more events than it reads');
  }

  /** Ends the connection at once. */
  cut(why: string): void {
    this.#why ??= why;
    this.#input.socket.destroy();
  }

  /** Ends the connection when all that was written has left. */
  end(): void {
    this.#input.socket.end();
  }

  /** Takes frames in the next turn of the event loop: at once, a client that floods would let nothing else run. */
  #takeSoon(): void {
    this.#turn ??= setImmediate(() => {
      this.#turn = undefined;
      this.#takeFrames();
    });
  }

  #takeFrames(): void {
    const { socket, limits } = this.#input;
    try {
      for (let taken = 0; !this.#ended && !socket.destroyed && !this.#isBusy(); taken++) {
        if (taken === FRAMES_A_TURN) {
          socket.pause();
          this.#takeSoon();
          return;
        }
        const frame = this.#frames.next();
        if (frame === undefined) break;
        this.#take(frame);
      }
    } catch (fault) {
      if (!(fault instanceof XdrFault)) throw fault;
      this.cut(fault.message);
      return;
    }
    if (this.#isBusy()) socket.pause();
    else socket.resume();
    this.#watchPatience(limits.patienceMs);
  }

  /** Whether no further call is taken now. */
  #isBusy(): boolean {
    const { socket, limits } = this.#input;
    return this.#running.size >= limits.callsInFlight || socket.writableNeedDrain;
  }

  /** A client that has begun a request, or does not read its answers, has so much time until it goes on. */
  #watchPatience(patienceMs: number): void {
    const { socket, clock } = this.#input;
    const waits = socket.writableNeedDrain || (this.#frames.pendingBytes > 0 && !this.#isBusy());
    if (!waits || socket.destroyed) {
      this.#patience?.cancel();
      this.#patience = undefined;
    } else {
      this.#patience ??= clock.after(patienceMs, () => this.cut('it reads no answers, or sends half a request'));
    }
  }

  #take(frame: Frame): void {
    if (frame.program === KEEPALIVE.program) {
      this.#keepalive.answer(frame);
      return;
    }
    // Streams belong to calls that no network has. A reply is not asked for.
    if (frame.type !== FRAME_TYPE.call) {
      this.cut(`a frame of type ${frame.type} is no call`);
      return;
    }
    const call = this.#nextCall++;
    this.#running.add(call);
    const replied = this.#answer(frame).then((reply) => {
      this.#running.delete(call);
      this.#write(reply);
      this.#release();
      this.#takeSoon();
    });
    // An error that cannot be told is a fault of ours; it costs this client its connection, and no other.
    replied.catch((fault: unknown) => this.cut(`its call could not be answered: ${String(fault)}`));
  }

  async #answer({ payload, ...call }: Frame): Promise<Buffer> {
    const header = { ...call, type: FRAME_TYPE.reply };
    try {
      if (call.program !== REMOTE.program || call.version !== REMOTE.version) {
        throw rpcError(`Cannot find program ${call.program} version ${call.version}`);
      }
      if (call.status !== FRAME_STATUS.ok) throw rpcError(`Unexpected message status ${call.status}`);
      const answer = await this.#answerer.answer(call.procedure, payload);
      return frameBytes({ ...header, status: FRAME_STATUS.ok, payload: answer });
    } catch (thrown) {
      const error = encode(VIR_ERROR, this.#answerer.errorOf(thrown));
      return frameBytes({ ...header, status: FRAME_STATUS.error, payload: error });
    }
  }

  /** Sends the events for which no call is left that came before them. */
  #release(): void {
    const [oldest = this.#nextCall] = this.#running;
    const waiting = this.#held.findIndex(({ before }) => before > oldest);
    for (const { bytes } of this.#held.splice(0, waiting === -1 ? this.#held.length : waiting)) {
      this.#heldBytes -= bytes.length;
      this.#write(bytes);
    }
  }

  #write(bytes: Buffer): void {
    const { socket, limits } = this.#input;
    if (socket.destroyed || !socket.writable) return;
    socket.write(bytes);
    if (socket.writableLength > limits.unreadBytes + bytes.length) this.cut('it does not read');
    else if (socket.writableNeedDrain) {
      this.#watchPatience(limits.patienceMs);
      this.#input.onHeld();
    }
  }

  #closed(): void {
    this.#ended = true;
    clearImmediate(this.#turn);
    this.#patience?.cancel();
    this.#opening?.cancel();
    this.#keepalive.close();
    this.#answerer.closed();
    this.#held = [];
    this.#input.onClosed(this.#why);
  }
}
