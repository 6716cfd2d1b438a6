/** A connection to a server of libvirt's protocol: calls with their answers, and the messages that the server sends by itself. */
import { connect, type Socket } from 'node:net';
import { systemClock } from '../../model/clock.ts';
import type { ProcedureCall } from '../calls/call.ts';
import { FRAME_STATUS, FRAME_TYPE, type Frame, FrameReader, frameBytes } from '../rpc/frame.ts';
import { Keepalive } from '../rpc/keepalive.ts';
import { KEEPALIVE, REMOTE } from '../rpc/programs.ts';
import { VIR_CODE, VIR_DOMAIN, VIR_ERROR, VirError } from '../rpc/vir-error.ts';
import { decode, encode } from '../xdr/codec.ts';
import { XdrFault } from '../xdr/xdr-fault.ts';

interface Pending {
  readonly answered: (frame: Frame) => void;
  readonly failed: (error: Error) => void;
}

/** Sends calls. Several may be on their way at once. */
export class ClientConnection {
  readonly #socket: Socket;
  readonly #frames = new FrameReader();
  readonly #pending = new Map<number, Pending>();
  readonly #keepalive: Keepalive;
  readonly #onMessage: (frame: Frame) => void;
  #nextSerial = 0;
  #ended: Error | undefined;

  private constructor(socket: Socket, onMessage: (frame: Frame) => void) {
    this.#socket = socket;
    this.#onMessage = onMessage;
    this.#keepalive = new Keepalive({
      clock: systemClock,
      send: (frame) => socket.write(frameBytes(frame)),
      lost: () => socket.destroy(),
    });
    socket.on('data', (piece: Buffer) => this.#take(piece));
    socket.on('error', (error) => this.#end(error));
    socket.on('close', () => this.#end(new Error('the server closed the connection')));
  }

  /** Connects. @param onMessage gets the messages of the server @throws VirError 38 */
  static open(path: string, onMessage: (frame: Frame) => void): Promise<ClientConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect(path);
      const failed = (cause: Error) => {
        const message = `Failed to connect socket to '${path}': ${cause.message}`;
        reject(new VirError(VIR_CODE.system, message, { domain: VIR_DOMAIN.rpc }));
      };
      socket.once('error', failed);
      socket.once('connect', () => {
        socket.off('error', failed);
        resolve(new ClientConnection(socket, onMessage));
      });
    });
  }

  /** Makes a call. @throws VirError: what the server refused, or that the connection is gone */
  async call<A, R>({ procedure, args, answer }: ProcedureCall<A, R>, values: A): Promise<R> {
    if (this.#ended !== undefined) throw goneError(this.#ended);
    const payload = encode(args, values);
    const serial = this.#nextSerial++;
    const { call: type } = FRAME_TYPE;
    const reply = new Promise<Frame>((answered, failed) => this.#pending.set(serial, { answered, failed }));
    this.#socket.write(frameBytes({ ...REMOTE, procedure, type, serial, status: FRAME_STATUS.ok, payload }));
    const frame = await reply;
    if (frame.status !== FRAME_STATUS.ok) throw decode(VIR_ERROR, frame.payload);
    return decode(answer, frame.payload);
  }

  /** Ends the connection when the calls that were made have left. */
  close(): void {
    this.#socket.end();
    this.#keepalive.close();
  }

  #take(piece: Buffer): void {
    this.#frames.push(piece);
    try {
      for (let frame = this.#frames.next(); frame !== undefined; frame = this.#frames.next()) this.#takeFrame(frame);
    } catch (fault) {
      if (!(fault instanceof XdrFault)) throw fault;
      this.#socket.destroy(fault);
    }
  }

  #takeFrame(frame: Frame): void {
    if (frame.program === KEEPALIVE.program) this.#keepalive.answer(frame);
    else if (frame.type === FRAME_TYPE.message) this.#onMessage(frame);
    else {
      this.#pending.get(frame.serial)?.answered(frame);
      this.#pending.delete(frame.serial);
    }
  }

  #end(error: Error): void {
    this.#ended ??= error;
    this.#keepalive.close();
    for (const { failed } of this.#pending.values()) failed(goneError(this.#ended));
    this.#pending.clear();
  }
}

function goneError(cause: Error): VirError {
  return new VirError(VIR_CODE.rpc, `the connection is gone: ${cause.message}`, { domain: VIR_DOMAIN.rpc });
}
