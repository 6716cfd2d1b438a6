/**
 * Captures the frames of a device with packet sockets (packet(7)), each with the kernel's time stamp in nanoseconds.
 */
import koffi from 'koffi';
import { EAGAIN, ENETDOWN, errnoError, failed, libc, MSG_TRUNC } from '../libc.ts';
import { openPacketSocket, type PacketSocketOptions, SOL_PACKET } from './packet-socket.ts';

/** Which device to capture from, and how. */
interface CaptureSocketOptions extends Omit<PacketSocketOptions, 'hears'> {
  /** How many bytes of each frame are kept. */
  readonly snapBytes: number;
}

/** One captured frame, possibly cut off. */
export interface CapturedFrame {
  /** Nanoseconds since 1970, by this machine's clock. */
  readonly timeNs: bigint;
  /** The first `snapBytes` bytes, or all of a shorter frame. */
  readonly bytes: Buffer;
  /** The full length of the frame. */
  readonly frameBytes: number;
}

/** Counted by the kernel since the socket was opened. */
interface CaptureCounters {
  /** Frames that passed the filter, the dropped ones included. */
  readonly frames: number;
  /** Frames that did not fit the receive buffer. */
  readonly dropped: number;
}

const PACKET_STATISTICS = 6;
/** `struct tpacket_stats`: two counters, which the kernel sets to zero when they are read. */
const STATISTICS_BYTES = 8;
/** Reads the time of the last received frame, as `struct timespec` (asm-generic/sockios.h). */
const SIOCGSTAMPNS = 0x8907;
const TIMESPEC_BYTES = 16;

/** A packet socket that is read on demand: the caller polls `frames`. */
export class CaptureSocket {
  readonly #fd: number;
  readonly #buffer: Buffer;
  readonly #time = Buffer.alloc(TIMESPEC_BYTES);
  #counters: CaptureCounters = { frames: 0, dropped: 0 };

  private constructor(fd: number, snapBytes: number) {
    this.#fd = fd;
    this.#buffer = Buffer.alloc(snapBytes);
  }

  /** @throws MESH_KERNEL_REFUSED (EPERM: no CAP_NET_RAW; ENODEV) */
  static open(options: CaptureSocketOptions): CaptureSocket {
    const fd = openPacketSocket({ ...options, hears: 'frames' }, (socket) => {
      // The first call turns time stamps on; it fails, since no frame was received yet (ENOENT).
      libc.ioctl(socket, SIOCGSTAMPNS, Buffer.alloc(TIMESPEC_BYTES));
    });
    return new CaptureSocket(fd, options.snapBytes);
  }

  /**
   * Reads up to `max` waiting frames. A device that has gone down has none.
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

  /**
   * Frames received and dropped since the socket was opened.
   * @throws MESH_KERNEL_REFUSED
   */
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
