/**
 * Frames: what a libvirt connection carries, one after another. `uint length` counts itself; then come six words (program, version,
 * procedure, type, serial, status), then the payload.
 */
import { XdrFault } from '../xdr/xdr-fault.ts';

/** What a frame is. */
export const FRAME_TYPE = { call: 0, reply: 1, message: 2, stream: 3 } as const;
/** Whether a reply is an answer or an error. */
export const FRAME_STATUS = { ok: 0, error: 1 } as const;

/** The six words before each payload. */
export interface FrameHeader {
  readonly program: number;
  readonly version: number;
  readonly procedure: number;
  readonly type: number;
  /** Chosen by the caller; the reply has the same. */
  readonly serial: number;
  readonly status: number;
}

/** One frame. */
export interface Frame extends FrameHeader {
  readonly payload: Buffer;
}

const LENGTH_BYTES = 4;
const HEADER_BYTES = 24;
/** The most that libvirt takes or sends behind the length (VIR_NET_MESSAGE_MAX). */
export const FRAME_MAX_BYTES = 33_554_432;

/** The bytes of a frame. */
export function frameBytes({ payload, ...header }: Frame): Buffer {
  const length = LENGTH_BYTES + HEADER_BYTES + payload.length;
  const bytes = Buffer.allocUnsafe(length);
  bytes.writeUInt32BE(length, 0);
  bytes.writeUInt32BE(header.program, 4);
  bytes.writeUInt32BE(header.version, 8);
  bytes.writeInt32BE(header.procedure, 12);
  bytes.writeInt32BE(header.type, 16);
  bytes.writeUInt32BE(header.serial, 20);
  bytes.writeInt32BE(header.status, 24);
  bytes.set(payload, LENGTH_BYTES + HEADER_BYTES);
  return bytes;
}

/** Puts the frames of one connection together from the pieces that arrive. */
export class FrameReader {
  readonly #maxBytes: number;
  #pieces: Buffer[] = [];
  #pendingBytes = 0;

  /** @param maxBytes the longest frame that is taken, behind its length */
  constructor(maxBytes = FRAME_MAX_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /** The bytes that wait for the rest of their frame. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Takes a piece. */
  push(piece: Buffer): void {
    this.#pieces.push(piece);
    this.#pendingBytes += piece.length;
  }

  /** The next frame, when all of its bytes are there. @throws XdrFault: what follows cannot be told from noise */
  next(): Frame | undefined {
    if (this.#pendingBytes < LENGTH_BYTES) return undefined;
    const length = this.#join(LENGTH_BYTES).readUInt32BE(0);
    if (length < LENGTH_BYTES + HEADER_BYTES || length - LENGTH_BYTES > this.#maxBytes) {
      throw new XdrFault(`a frame of ${length} bytes`);
    }
    if (this.#pendingBytes < length) return undefined;
    const all = this.#join(length);
    this.#pieces = all.length > length ? [all.subarray(length)] : [];
    this.#pendingBytes -= length;
    return {
      program: all.readUInt32BE(4),
      version: all.readUInt32BE(8),
      procedure: all.readInt32BE(12),
      type: all.readInt32BE(16),
      serial: all.readUInt32BE(20),
      status: all.readInt32BE(24),
      payload: all.subarray(LENGTH_BYTES + HEADER_BYTES, length),
    };
  }

  /** The first piece, with at least so many bytes. The pieces are joined once a frame is whole, not with each of them. */
  #join(bytes: number): Buffer {
    const [first = Buffer.alloc(0)] = this.#pieces;
    if (first.length >= bytes) return first;
    const joined = Buffer.concat(this.#pieces);
    this.#pieces = [joined];
    return joined;
  }
}
