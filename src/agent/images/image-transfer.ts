/** One disk image on its way into a file: again after a cut, and only as long as bytes come. */
import type { Alarm, Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { OpenOrigin, OriginAnswer } from './image-origin.ts';
import type { TransferMeter } from './image-progress.ts';
import type { PartFile } from './part-file.ts';

/** What a transfer needs. */
export interface ImageTransferInput {
  readonly origin: OpenOrigin;
  readonly part: PartFile;
  /** How people name the image. */
  readonly object: string;
  readonly clock: Clock;
  readonly meter: TransferMeter;
  readonly signal: AbortSignal;
  /**
   * Called before bytes are written, and again while an image of unknown size grows. The number is that of the whole file.
   * @throws MESH_DISK_IMAGE_ROOM
   */
  readonly makeRoom: (wholeBytes: number) => Promise<void>;
}

/** Within this time at least `PROGRESS_BYTES` come; less is as good as nothing. */
const STALL_MS = 60_000;
const PROGRESS_BYTES = 16 * 1024;
/** Tries in a row that brought the transfer no further. */
const TRIES_MAX = 5;
/** All tries: an origin that always begins anew and cuts a little later would be asked for ever. */
const TRIES_IN_ALL_MAX = 100;
const PAUSE_MS = { least: 1_000, most: 30_000 } as const;
/** Room for an image of unknown size is made in steps: each doubles the image, up to the most. */
const ROOM_STEP_BYTES = { least: 256 * 1024, most: 64 * 1024 * 1024 } as const;

/**
 * Brings all bytes of an image into the part file.
 * @throws MESH_DISK_IMAGE_FETCH, MESH_DISK_IMAGE_ROOM, MESH_DISK_REFUSED; `retryable` says whether what is there is of use later
 */
export async function transferImage(input: ImageTransferInput): Promise<void> {
  const { part, clock, signal } = input;
  let farthest = part.bytes;
  let tries = 0;
  for (let all = 1; !part.isWhole; all++) {
    try {
      await transferOnce(input);
      return;
    } catch (thrown) {
      const error = MeshError.from(thrown);
      tries = part.bytes > farthest ? 0 : tries + 1;
      farthest = Math.max(farthest, part.bytes);
      const isLast = !error.retryable || error.code !== 'MESH_DISK_IMAGE_FETCH' || signal.aborted;
      if (isLast || tries >= TRIES_MAX || all >= TRIES_IN_ALL_MAX) throw error;
    }
    await pause(clock, Math.min(PAUSE_MS.least * 2 ** Math.max(0, tries - 1), PAUSE_MS.most), signal);
  }
}

async function transferOnce(input: ImageTransferInput): Promise<void> {
  const { origin, part, clock, meter, object, makeRoom } = input;
  const stop = new AbortController();
  const watch = new StallWatch(
    clock,
    () => part.bytes,
    () => stop.abort(),
  );
  const signal = AbortSignal.any([input.signal, stop.signal]);
  try {
    const { version } = part;
    const answer = await origin({ firstByte: version === undefined ? 0 : part.bytes, version, signal });
    const { totalBytes } = answer;
    await startAt(part, answer, object);
    let roomBytes = totalBytes ?? nextRoom(part.bytes);
    await makeRoom(roomBytes);
    meter.begin(part.bytes, totalBytes);
    for await (const chunk of answer.body) {
      if (totalBytes !== undefined && part.bytes + chunk.length > totalBytes) {
        throw cut(object, `sends more than the ${totalBytes} bytes that it promised`);
      }
      if (part.bytes + chunk.length > roomBytes) {
        roomBytes = nextRoom(part.bytes + chunk.length);
        await makeRoom(roomBytes);
      }
      await part.append(chunk);
      meter.at(part.bytes, totalBytes);
    }
    if (totalBytes !== undefined && part.bytes < totalBytes) {
      throw cut(object, `ended after ${part.bytes} of ${totalBytes} bytes`);
    }
    meter.at(part.bytes, totalBytes ?? part.bytes, true);
  } catch (thrown) {
    if (input.signal.aborted) throw new MeshError('MESH_DISK_IMAGE_FETCH', `fetching ${object} was ended`, { object });
    if (stop.signal.aborted) throw cut(object, `has sent hardly anything for ${STALL_MS / 1000} s`);
    if (thrown instanceof MeshError) throw thrown;
    throw cut(
      object,
      `was cut after ${part.bytes} bytes: ${thrown instanceof Error ? thrown.message : thrown}`,
      thrown,
    );
  } finally {
    watch.end();
    stop.abort();
  }
}

function nextRoom(bytes: number): number {
  return bytes + Math.min(Math.max(bytes, ROOM_STEP_BYTES.least), ROOM_STEP_BYTES.most);
}

/** The answer goes on where the part file ends, or begins anew. */
async function startAt(part: PartFile, answer: OriginAnswer, object: string): Promise<void> {
  const { firstByte, version, totalBytes } = answer;
  if (firstByte === 0) {
    await part.begin(version, totalBytes);
    return;
  }
  if (firstByte === part.bytes && version === part.version) return;
  // A server that ignores If-Range has sent a part of another content.
  await part.begin(undefined, undefined);
  throw cut(object, 'has changed meanwhile');
}

/** Looks from time to time whether bytes come. */
class StallWatch {
  readonly #clock: Clock;
  readonly #bytes: () => number;
  readonly #stalled: () => void;
  #alarm: Alarm;

  constructor(clock: Clock, bytes: () => number, stalled: () => void) {
    this.#clock = clock;
    this.#bytes = bytes;
    this.#stalled = stalled;
    this.#alarm = this.#look();
  }

  end(): void {
    this.#alarm.cancel();
  }

  #look(): Alarm {
    const before = this.#bytes();
    return this.#clock.after(STALL_MS, () => {
      const now = this.#bytes();
      // Fewer bytes than before: the transfer has begun anew.
      if (now >= before && now - before < PROGRESS_BYTES) this.#stalled();
      else this.#alarm = this.#look();
    });
  }
}

function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const alarm = clock.after(delayMs, resolve);
  signal.addEventListener('abort', () => resolve(), { once: true });
  return promise.finally(() => alarm.cancel());
}

function cut(object: string, why: string, cause?: unknown): MeshError {
  return new MeshError('MESH_DISK_IMAGE_FETCH', `${object} ${why}`, {
    operation: 'fetch disk image',
    object,
    remedy: 'Try again: what has arrived is kept for a day, and used if the server can send the rest alone.',
    retryable: true,
    ...(cause !== undefined && { cause }),
  });
}
