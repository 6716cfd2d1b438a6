/** What passes a device, as packet sockets see it (packet(7)): frames with the kernel's own time, to the nanosecond. */
import koffi from 'koffi';
import { EAGAIN, ENETDOWN, errnoError, failed, libc, MSG_TRUNC } from '../libc.ts';
import { openPacketSocket, type PacketSocketOptions, SOL_PACKET } from './packet-socket.ts';

export interface CaptureSocketOptions extends Omit<PacketSocketOptions, 'hears'> {
  /** So much of each frame is kept. */
  readonly snapBytes: number;
}

export interface CapturedFrame {
  /** Since 1970, by this machine's clock. */
  readonly timeNs: bigint;
  /** As many as were asked for. */
  readonly bytes: Buffer;
  readonly frameBytes: number;
}

/** Counted by the kernel since the socket was opened. */
export interface CaptureCounters {
  /** Those that were dropped too. */
  readonly frames: number;
  readonly dropped: number;
}

const PACKET_STATISTICS = 6;
/** `struct tpacket_stats`: two counters, set to zero by reading them. */
const STATISTICS_BYTES = 8;
/** The time of the frame that was received last, as `struct timespec` (asm-generic/sockios.h). */
const SIOCGSTAMPNS = 0x8907;
const TIMESPEC_BYTES = 16;

export class CaptureSocket {
  readonly #fd: number;
  readonly #buffer: Buffer;
  readonly #time = Buffer.alloc(TIMESPEC_BYTES);
  #counters: CaptureCounters = { frames: 0, dropped: 0 };

  private constructor(fd: number, snapBytes: number) {
    this.#fd = fd;
    this.#buffer = Buffer.alloc(snapBytes);
  }

  /** @throws MESH_KERNEL_REFUSED (EPERM: not root; ENODEV) */
  static open(options: CaptureSocketOptions): CaptureSocket {
    const fd = openPacketSocket({ ...options, hears: 'frames' }, (socket) => {
      // The first question turns time stamps on; there is no answer to it yet (ENOENT).
      libc.ioctl(socket, SIOCGSTAMPNS, Buffer.alloc(TIMESPEC_BYTES));
    });
    return new CaptureSocket(fd, options.snapBytes);
  }

  /**
   * Frames that wait, so many at the most. A device that has gone down has none.
   * @throws MESH_KERNEL_REFUSED
   */
  *frames(max: number): Generator<CapturedFrame> {
    for (let count = 0; count < max; count++) {
      const frameBytes: number = libc.recv(this.#fd, this.#buffer, this.#buffer.length, MSG_TRUNC);
      if (frameBytes < 0) {
        const errno = koffi.errno();
        if (errno === EAGAIN || errno === ENETDOWN) return;
        throw errnoError(errno, 'receive', 'captured frames');
      }
      if (libc.ioctl(this.#fd, SIOCGSTAMPNS, this.#time) < 0) throw failed('read', "a frame's time");
      const timeNs = this.#time.readBigInt64LE(0) * 1_000_000_000n + this.#time.readBigInt64LE(8);
      yield { timeNs, bytes: Buffer.from(this.#buffer.subarray(0, frameBytes)), frameBytes };
    }
  }

  counters(): CaptureCounters {
    const bytes = Buffer.alloc(STATISTICS_BYTES);
    if (libc.getsockopt(this.#fd, SOL_PACKET, PACKET_STATISTICS, bytes, [bytes.length]) < 0) {
      throw failed('read', 'the counters of a packet socket');
    }
    const { frames, dropped } = this.#counters;
    this.#counters = { frames: frames + bytes.readUInt32LE(0), dropped: dropped + bytes.readUInt32LE(4) };
    return this.#counters;
  }

  close(): void {
    libc.close(this.#fd);
  }
}
