/**
 * Holds files that many machines fetch at the same time once in memory for all of them: a booting rack wants one kernel and
 * one initrd. From a buffer, the kernel takes megabytes at a time without another pass of the event loop, and the memory does
 * not grow with the number of machines. A file is held while it is being fetched, and a little longer.
 */
import type { FileHandle } from 'node:fs/promises';
import type { Alarm, Clock } from '../../model/clock.ts';

interface Held {
  readonly bytes: Promise<Uint8Array>;
  readonly size: number;
  readers: number;
  /** Ends the holding; set while there are no readers. */
  end?: Alarm | undefined;
}

/** Which files are held. */
export interface SharedFilesLimits {
  /** Smaller files are sent quickly, and mostly belong to one machine. */
  readonly leastBytes: number;
  /** Larger files, such as those of installers, are read in pieces. */
  readonly mostBytes: number;
  /** Of all held files together. */
  readonly totalBytes: number;
}

const MIB = 1024 * 1024;
const LIMITS: SharedFilesLimits = { leastBytes: MIB, mostBytes: 128 * MIB, totalBytes: 256 * MIB };
/** How long a file is held after its last reader: until the next machine of the queue comes, which asks again within 8 s. */
const LINGER_MS = 10_000;

/** The files that are held, by version. */
export class SharedFiles {
  readonly #clock: Clock;
  readonly #limits: SharedFilesLimits;
  readonly #held = new Map<string, Held>();

  constructor(clock: Clock, limits = LIMITS) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** How much is held in memory. */
  get bytes(): number {
    return [...this.#held.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /**
   * Reads a whole file, or shares the buffer that holds it. Each taker calls `leave` once.
   * @param version differs for other contents, as an ETag does
   * @returns undefined for a file that is to be read in pieces
   */
  take(version: string, size: number, file: FileHandle): Promise<Uint8Array> | undefined {
    const held = this.#held.get(version) ?? this.#hold(version, size, file);
    if (held === undefined) return undefined;
    held.readers++;
    held.end?.cancel();
    held.end = undefined;
    return held.bytes;
  }

  /** A taker has done with the file. */
  leave(version: string): void {
    const held = this.#held.get(version);
    if (held === undefined || --held.readers > 0) return;
    held.end = this.#clock.after(LINGER_MS, () => this.#held.delete(version));
  }

  #hold(version: string, size: number, file: FileHandle): Held | undefined {
    const { leastBytes, mostBytes, totalBytes } = this.#limits;
    if (size < leastBytes || size > mostBytes) return undefined;
    for (const [other, { end }] of this.#held) {
      if (this.bytes + size <= totalBytes) break;
      if (end === undefined) continue;
      end.cancel();
      this.#held.delete(other);
    }
    if (this.bytes + size > totalBytes) return undefined;
    const held: Held = { bytes: readAll(file, size), size, readers: 0 };
    this.#held.set(version, held);
    // The takers that wait get the error. The next taker reads the file again.
    held.bytes.catch(() => this.#held.delete(version));
    return held;
  }
}

async function readAll(file: FileHandle, size: number): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafeSlow(size);
  for (let have = 0; have < size; ) {
    const { bytesRead } = await file.read(bytes, have, size - have, have);
    if (bytesRead === 0) throw new Error(`the file ends after ${have} of ${size} bytes`);
    have += bytesRead;
  }
  return bytes;
}
