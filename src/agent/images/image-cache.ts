/** The disk images of a node: each is fetched once, checked, and kept as long as there is room. */

import { imageKind } from '../../formats/binary/image-kind.ts';
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { Finding, HealthSource } from '../../protocol/documents/finding.ts';
import type { DiskImage, DiskImageCache, ImageProgress } from '../../protocol/documents/workload/disk-image.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { ImageFlights } from './image-flights.ts';
import { roomAt } from './image-limit.ts';
import type { OpenOrigin } from './image-origin.ts';
import type { TransferMeter } from './image-progress.ts';
import { imageUsed, mustBe, noRoom } from './image-refusals.ts';
import { ImageShelf, type ShelvedImage } from './image-shelf.ts';
import { type ImageSource, imageSource, sourceText } from './image-source.ts';
import { transferImage } from './image-transfer.ts';
import { PartFile, removePart } from './part-file.ts';
import { Turnstile } from './turnstile.ts';

/** What the cache needs. */
export interface ImageCacheInput {
  readonly directory: string;
  readonly clock: Clock;
  readonly journal: Pick<Journal, 'record'>;
  /** Opens an image at its source. */
  readonly origin: (source: ImageSource) => OpenOrigin;
  /** The setting; undefined takes what suits the file system (image-limit.ts). */
  readonly limitBytes?: number | undefined;
}

/** A request for an image. */
export interface ImageOrder {
  readonly source: string;
  /** SHA-256 of the image, as hex. Without it, the image that the source has given once is used as long as it is kept. */
  readonly sha256?: string | undefined;
  readonly onProgress?: ((progress: ImageProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** An image that is there. */
export interface ReadyImage {
  readonly path: string;
  readonly sha256: string;
  readonly format: 'qcow2' | 'raw';
  readonly diskBytes: number;
  readonly sizeBytes: number;
}

/** The room of a transfer. */
interface Promised {
  /** Undefined until it is open. */
  part: PartFile | undefined;
  /** The size that the whole file will have. */
  wholeBytes: number;
}

/** An image that was just asked for is about to get a volume. */
const HELD_MS = 600_000;
const SHA256 = /^[\da-f]{64}$/;

/** Fetches and keeps images. It reads the disk when it is asked for the first time: most nodes have no virtual machine. */
export class ImageCache implements HealthSource {
  readonly shelf: ImageShelf;
  readonly #input: ImageCacheInput;
  readonly #flights: ImageFlights;
  /** Until when an image is not removed, by its hash. */
  readonly #held = new Map<string, number>();
  /** The transfers under way, by the paths of their parts. */
  readonly #promises = new Map<string, Promised>();
  readonly #rooms = new Turnstile(1);
  readonly #sweeps = new Turnstile(1);
  #opened: Promise<void> | undefined;

  constructor(input: ImageCacheInput) {
    this.#input = input;
    this.#flights = new ImageFlights(input.clock);
    this.shelf = new ImageShelf(input.directory);
  }

  /** Reads what is on the disk, once. Each question does it first. @throws MESH_DISK_REFUSED; the next question tries again */
  open(): Promise<void> {
    this.#opened ??= this.shelf.open(this.#wallMs()).catch((thrown: unknown) => {
      this.#opened = undefined;
      throw thrown;
    });
    return this.#opened;
  }

  /** A finding while the index of the cache cannot be used. */
  health(): readonly Finding[] {
    return this.shelf.health();
  }

  /**
   * Gives an image; one that is not there is fetched. Two requests at once share a transfer.
   * @throws MESH_DISK_IMAGE_SOURCE, MESH_DISK_IMAGE_FETCH, MESH_DISK_IMAGE_HASH, MESH_DISK_IMAGE_UNFIT, MESH_DISK_IMAGE_ROOM,
   *   MESH_DISK_REFUSED; nothing half made can be used then
   */
  async ensure({ source: text, sha256, onProgress, signal }: ImageOrder): Promise<ReadyImage> {
    const source = imageSource(text);
    const named = sourceText(source);
    const wanted = sha256?.toLowerCase();
    if (wanted !== undefined && !SHA256.test(wanted)) {
      throw new MeshError('MESH_DISK_IMAGE_HASH', `${JSON.stringify(sha256?.slice(0, 80))} is no SHA-256`, {
        object: named,
        rule: 'A SHA-256 has 64 hex digits.',
        remedy: 'Write the sum that `sha256sum IMAGE` prints, or the one from the page of the image.',
      });
    }
    await this.open();
    const present = this.shelf.images.find((image) =>
      wanted === undefined ? image.sources.includes(named) : image.sha256 === wanted,
    );
    if (present !== undefined) {
      this.#hold(present.sha256);
      return this.#ready(await this.shelf.wanted(present.sha256, named, this.#wallMs()));
    }
    const image = await this.#flights.join({ named, wanted, onProgress, signal }, (meter, stop) =>
      this.#transfer(source, named, wanted, meter, stop),
    );
    return this.#ready(image);
  }

  /** The images, and those that are on their way. */
  async view(): Promise<DiskImageCache> {
    await this.open();
    const [uses, room] = await Promise.all([this.#rooms.pass(() => this.#uses()), roomAt(this.shelf.directory)]);
    const nowMs = this.#wallMs();
    const images = this.shelf.images.map((image) => viewOf(image, uses.get(image.sha256) ?? [], nowMs));
    const coming = this.#flights.all.map(
      ({ source, meter: { last } }): DiskImage => ({
        sha256: '',
        sources: [source],
        sizeBytes: last.doneBytes,
        format: 'raw',
        diskBytes: 0,
        volumes: [],
        usedSecAgo: 0,
        progress: last,
      }),
    );
    return {
      images: [...images.toSorted((a, b) => a.usedSecAgo - b.usedSecAgo), ...coming],
      usedBytes: this.shelf.usedBytes,
      limitBytes: this.#input.limitBytes ?? room.usualLimitBytes,
      isInMemory: room.isInMemory,
    };
  }

  /** One image as lists show it. @param sha256 of an image that is there */
  async viewOf(sha256: string): Promise<DiskImage> {
    await this.open();
    return this.#rooms.pass(() => this.#viewOf(sha256));
  }

  /**
   * Removes an image.
   * @param word its source, or at least six digits of its hash
   * @throws MESH_OBJECT_UNKNOWN, MESH_DISK_IMAGE_USED, MESH_DISK_REFUSED
   */
  async remove(word: string): Promise<DiskImage> {
    await this.open();
    const image = this.#called(word);
    return this.#rooms.pass(async () => {
      const view = await this.#viewOf(image.sha256);
      const [volume] = view.volumes;
      if (volume !== undefined) throw imageUsed(view);
      await this.shelf.remove(image.sha256);
      this.#held.delete(image.sha256);
      return view;
    });
  }

  /**
   * Notes a volume over an image: the image stays as long as the volume is there. It is called before the volume is made, and again when
   * the volume is there.
   * @throws MESH_DISK_IMAGE_FETCH if the image was removed meanwhile, MESH_DISK_REFUSED
   */
  async use(sha256: string, volume: string): Promise<void> {
    await this.open();
    return this.#rooms.pass(() => this.shelf.use(sha256, volume, this.#wallMs()));
  }

  /** Whether an image is there. It stays for ten minutes then. @throws MESH_DISK_REFUSED */
  async has(sha256: string): Promise<boolean> {
    await this.open();
    const isThere = this.shelf.images.some((image) => image.sha256 === sha256);
    if (isThere) this.#hold(sha256);
    return isThere;
  }

  /**
   * Takes a whole file that another node has had in its cache. The file is durable, and on the file system of the cache.
   * @throws MESH_DISK_IMAGE_UNFIT, MESH_DISK_IMAGE_ROOM, MESH_DISK_REFUSED
   */
  async adopt(path: string, sha256: string, head: Buffer, sizeBytes: number): Promise<ReadyImage> {
    const named = `moved:${sha256}`;
    const kind = imageKind(head, sizeBytes, named);
    this.#hold(sha256);
    const image = await this.#rooms.pass(async () => {
      await this.#makeRoom(sizeBytes, named);
      return await this.shelf.put(path, sha256, named, kind, this.#wallMs());
    });
    return this.#ready(image);
  }

  /** Forgets a volume that was removed. */
  async endUse(volume: string): Promise<void> {
    await this.open();
    return this.#rooms.pass(() => this.shelf.endUse(volume));
  }

  async #viewOf(sha256: string): Promise<DiskImage> {
    const image = this.#called(sha256);
    return viewOf(image, (await this.#uses()).get(image.sha256) ?? [], this.#wallMs());
  }

  #uses(): Promise<ReadonlyMap<string, readonly string[]>> {
    return this.shelf.uses(this.#wallMs());
  }

  /** The image that a volume was made over, if `path` is the one of this image; undefined otherwise. */
  async baseOf(volume: string, path: string): Promise<ReadyImage | undefined> {
    await this.open();
    const image = this.shelf.images.find(({ sha256 }) => this.shelf.pathOf(sha256) === path);
    if (image === undefined) return undefined;
    const isOver = (await this.#uses()).get(image.sha256)?.includes(volume);
    return isOver ? this.#ready(image) : undefined;
  }

  #called(word: string): ShelvedImage {
    const found = this.shelf.images.filter(
      ({ sha256, sources }) => (word.length >= 6 && sha256.startsWith(word)) || sources.includes(spelled(word)),
    );
    const [image, second] = found;
    if (image !== undefined && second === undefined) return image;
    throw new MeshError(
      'MESH_OBJECT_UNKNOWN',
      `${found.length === 0 ? 'no image' : 'more than one image'} is ${word}`,
      {
        object: word,
        remedy: 'Name it by its source, or by the first digits of its hash: `mesh workload image list`.',
      },
    );
  }

  async #transfer(
    source: ImageSource,
    named: string,
    wanted: string | undefined,
    meter: TransferMeter,
    signal: AbortSignal,
  ): Promise<ShelvedImage> {
    const { clock, journal, origin } = this.#input;
    const startMs = clock.nowMs();
    // The same source may be on its way for another hash. Nothing is awaited between the look and the reservation.
    const usual = this.shelf.partPath(named);
    const path = this.#promises.has(usual) ? this.shelf.partPath(`${named} ${wanted}`) : usual;
    const promised: Promised = { part: undefined, wholeBytes: 0 };
    this.#promises.set(path, promised);
    let part: PartFile;
    try {
      // One sweep at a time: it may be removing what an earlier transfer has left of this very image.
      await this.#sweeps.pass(() => this.shelf.sweepParts(this.#wallMs(), (one) => this.#promises.has(one)));
      part = await PartFile.open(path);
    } catch (error) {
      this.#promises.delete(path);
      throw error;
    }
    promised.part = part;
    promised.wholeBytes = part.bytes;
    let isKept = false;
    const makeRoom = (wholeBytes: number): Promise<void> =>
      this.#rooms.pass(async () => {
        promised.wholeBytes = part.bytes;
        await this.#makeRoom(wholeBytes - part.bytes, named);
        promised.wholeBytes = wholeBytes;
      });
    try {
      await transferImage({ origin: origin(source), part, object: named, clock, meter, signal, makeRoom });
      const sha256 = await part.finish();
      mustBe(sha256, wanted, named);
      const kind = imageKind(part.head, part.bytes, named);
      this.#hold(sha256);
      const image = await this.#rooms.pass(async () => {
        const put = await this.shelf.put(path, sha256, named, kind, this.#wallMs());
        // From here on it is counted with the files that are there.
        promised.part = undefined;
        promised.wholeBytes = 0;
        return put;
      });
      isKept = true;
      const durationMs = Math.round(clock.nowMs() - startMs);
      journal.record({
        kind: 'disk image fetched',
        message: `${named}, ${part.bytes} bytes`,
        object: named,
        durationMs,
      });
      return image;
    } catch (thrown) {
      const error = MeshError.from(thrown);
      isKept =
        error.code === 'MESH_DISK_IMAGE_FETCH' && (error.retryable || signal.aborted) && part.version !== undefined;
      const { code, message } = error;
      journal.record({ level: 'warning', kind: 'disk image not fetched', message, object: named, code });
      throw error;
    } finally {
      await part.close().catch(() => undefined);
      if (!isKept) await removePart(path).catch(() => undefined);
      // Only now: another transfer must not open what is removed here.
      this.#promises.delete(path);
    }
  }

  /** Removes images that were not used for the longest time, until there is room. @throws MESH_DISK_IMAGE_ROOM */
  async #makeRoom(bytes: number, named: string): Promise<void> {
    const { directory } = this.shelf;
    const uses = await this.#uses();
    const free = this.shelf.images
      .filter(({ sha256 }) => !uses.has(sha256) && !this.#isHeld(sha256))
      .toSorted((a, b) => a.usedAtMs - b.usedAtMs);
    for (;;) {
      const room = await roomAt(directory);
      const limitBytes = this.#input.limitBytes ?? room.usualLimitBytes;
      const transfers = [...this.#promises.values()];
      const comingBytes = transfers.reduce(
        (sum, { part, wholeBytes }) => sum + Math.max(0, wholeBytes - (part?.bytes ?? 0)),
        0,
      );
      const hereBytes = transfers.reduce((sum, { part }) => sum + (part?.bytes ?? 0), 0);
      const neededBytes = bytes + comingBytes;
      const open = [...this.#promises].flatMap(([path, { part }]) => (part === undefined ? [] : [path]));
      const partBytes = await this.shelf.partBytes(new Set(open));
      const takenBytes = this.shelf.usedBytes + partBytes + hereBytes;
      if (takenBytes + neededBytes <= limitBytes && neededBytes <= room.freeBytes) return;
      // A size that an origin only claims must not cost images: nothing goes unless all that may go is enough.
      const freeableBytes = free.reduce(
        (sum, { sha256, sizeBytes }) => sum + (this.#isHeld(sha256) ? 0 : sizeBytes),
        0,
      );
      const isOverLimit = takenBytes - freeableBytes + neededBytes > limitBytes;
      const oldest = free.shift();
      if (oldest === undefined || isOverLimit || neededBytes > room.freeBytes + freeableBytes) {
        const mostBytes = (isOverLimit ? limitBytes - takenBytes : room.freeBytes) + freeableBytes - comingBytes;
        throw noRoom(named, bytes, mostBytes, isOverLimit);
      }
      // The image may have been asked for since the list was made.
      if (this.#isHeld(oldest.sha256)) continue;
      await this.shelf.remove(oldest.sha256);
      const object = oldest.sources[0] ?? oldest.sha256;
      this.#input.journal.record({ kind: 'disk image dropped', message: `${object}, to make room`, object });
    }
  }

  #hold(sha256: string): void {
    this.#held.set(sha256, this.#input.clock.nowMs() + HELD_MS);
  }

  #isHeld(sha256: string): boolean {
    return (this.#held.get(sha256) ?? 0) > this.#input.clock.nowMs();
  }

  #ready({ sha256, format, diskBytes, sizeBytes }: ShelvedImage): ReadyImage {
    return { path: this.shelf.pathOf(sha256), sha256, format, diskBytes, sizeBytes };
  }

  #wallMs(): number {
    return this.#input.clock.wallTime().getTime();
  }
}

function viewOf(image: ShelvedImage, volumes: readonly string[], nowMs: number): DiskImage {
  const { sha256, sources, sizeBytes, format, diskBytes, usedAtMs } = image;
  const usedSecAgo = Math.max(0, Math.round((nowMs - usedAtMs) / 1000));
  return { sha256, sources, sizeBytes, format, diskBytes, volumes, usedSecAgo };
}

/** A word as the spelling of a source, if it is one. */
function spelled(word: string): string {
  try {
    return sourceText(imageSource(word));
  } catch {
    return word;
  }
}
