/**
 * Files that many machines fetch at the same time, each once in memory for all of them: a rack that boots wants one kernel
 * and one initrd. From a buffer, the kernel takes megabytes at a time without a turn of the event loop, and memory does
 * not grow with the number of machines. Held only while somebody fetches, and a little longer.
 */
import type { FileHandle } from 'node:fs/promises';
import type { Alarm, Clock } from '../../model/clock.ts';

interface Held {
  readonly bytes: Promise<Uint8Array>;
  readonly size: number;
  readers: number;
  /** Set while nobody reads. */
  end?: Alarm | undefined;
}

export interface SharedFilesLimits {
  /** Smaller ones are quickly through, and mostly one machine's own. */
  readonly leastBytes: number;
  /** Larger ones, as installers have them, are read in pieces. */
  readonly mostBytes: number;
  readonly totalBytes: number;
}

const MIB = 1024 * 1024;
const LIMITS: SharedFilesLimits = { leastBytes: MIB, mostBytes: 128 * MIB, totalBytes: 256 * MIB };
/** From the initrd of one machine to that of the next that was told to come again. */
const LINGER_MS = 10_000;

export class SharedFiles {
  readonly #clock: Clock;
  readonly #limits: SharedFilesLimits;
  readonly #held = new Map<string, Held>();

  constructor(clock: Clock, limits = LIMITS) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** What is held in memory. */
  get bytes(): number {
    return [...this.#held.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /**
   * All of a file; whoever takes it leaves it once.
   * @param version another one for other bytes
   * @returns undefined for one that is to be read in pieces
   */
  take(version: string, size: number, file: FileHandle): Promise<Uint8Array> | undefined {
    const held = this.#held.get(version) ?? this.#hold(version, size, file);
    if (held === undefined) return undefined;
    held.readers++;
    held.end?.cancel();
    held.end = undefined;
    return held.bytes;
  }

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
    // Who waits for it is told; the next one tries again.
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
