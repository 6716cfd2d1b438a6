/**
 * The volumes of virtual machines on this node: a thin file over an image of the cache, an empty disk, or an ISO for reading. A volume
 * that exists is kept as it is.
 */
import { link, lstat, mkdir, open, rename, rm, symlink } from 'node:fs/promises';
import { dirname, isAbsolute, join, normalize } from 'node:path';
import { syncDirectory } from '../../disk/durable-file.ts';
import { type ImageKind, imageKind, isQcow2 } from '../../formats/binary/image-kind.ts';
import { MeshError } from '../../model/error.ts';
import type { ImageProgress } from '../../protocol/documents/workload/disk-image.ts';
import type { ImageCache, ReadyImage } from './image-cache.ts';
import { roomAt } from './image-limit.ts';
import { diskRefused } from './part-file.ts';
import { QCOW2_HEADER_BYTES, type Qcow2Backing, qcow2Backing } from './qcow2-backing.ts';
import { thinVolume } from './qemu-img.ts';

/** A volume, as its virtual machine wants it. */
export interface WantedVolume {
  readonly type: 'qcow2' | 'iso';
  /** Absolute, or below the directory of volumes. */
  readonly path: string;
  readonly source?: string | undefined;
  readonly sha256?: string | undefined;
  readonly sizeBytes?: number | undefined;
}

/** A volume that an emulator can open. */
export interface ReadyVolume {
  readonly path: string;
  /** What the emulator is told: it must not guess. */
  readonly format: 'qcow2' | 'raw';
  readonly isReadOnly: boolean;
  /** The memory that the volume can come to take: 0 on a disk, and of an ISO, which is the file of the cache itself. */
  readonly memoryBytes: number;
}

/** What goes with a request for a volume. */
export interface VolumeSettings {
  readonly onProgress?: ((progress: ImageProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** QEMU opens its disks as root. */
const DIRECTORY_MODE = 0o700;

/** Makes volumes. */
export class Volumes {
  readonly #cache: ImageCache;
  readonly #directory: string;
  readonly #root: string;
  /** Requests for one path come one after the other. */
  readonly #turns = new Map<string, Promise<unknown>>();

  /** @param directory of volumes whose path is not absolute. @param root the directory that absolute paths are below */
  constructor(cache: ImageCache, directory: string, root: string) {
    this.#cache = cache;
    this.#directory = directory;
    this.#root = root;
  }

  /** Where a volume is. @throws MESH_VOLUME_REFUSED for a path that leads out of the directory of volumes */
  pathOf({ path }: Pick<WantedVolume, 'path'>): string {
    const whole = isAbsolute(path) ? join(this.#root, path) : join(this.#directory, path);
    const isInside = isAbsolute(path) || whole.startsWith(`${normalize(this.#directory)}/`);
    if (isInside && !path.includes('\0') && !path.endsWith('/')) return whole;
    throw refused(path, 'leads out of the directory of volumes', 'Write an absolute path, or one without «..».');
  }

  /**
   * Gives a volume; one that is not there is made.
   * @throws MESH_DISK_IMAGE_* (image-cache.ts), MESH_VOLUME_REFUSED, MESH_DISK_REFUSED; nothing half made is there then
   */
  async ensure(wanted: WantedVolume, settings: VolumeSettings = {}): Promise<ReadyVolume> {
    const path = this.pathOf(wanted);
    return this.#inTurn(path, () => this.#ensure(wanted, path, settings));
  }

  async #inTurn<T>(path: string, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(path) ?? Promise.resolve();
    const turn = before.catch(() => undefined).then(work);
    this.#turns.set(path, turn);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(path) === turn) this.#turns.delete(path);
    }
  }

  /** Removes a volume. What it was over stays in the cache, as long as there is room. @throws MESH_DISK_REFUSED */
  async remove(wanted: Pick<WantedVolume, 'path'>): Promise<void> {
    const path = this.pathOf(wanted);
    await this.#inTurn(path, async () => {
      await rm(path, { force: true }).catch((cause: unknown) => {
        throw diskRefused(path, cause);
      });
      await this.#cache.endUse(path);
    });
  }

  /**
   * A volume that was made, with the image that it is over; undefined if it was not.
   * @throws MESH_VOLUME_REFUSED for a file that no emulator would be given
   */
  async found(wanted: WantedVolume): Promise<{ readonly path: string; readonly base?: ReadyImage } | undefined> {
    const path = this.pathOf(wanted);
    if (!(await isThere(path))) return undefined;
    const { backing } = await this.#kindAt(path, wanted);
    const base = backing && (await this.#cache.baseOf(path, backing.name));
    return { path, ...(base !== undefined && { base }) };
  }

  /**
   * Puts a file that another node has made into the place of a volume, whatever is there.
   * @param file on the same file system. @param base the image that the file is over
   * @throws MESH_DISK_REFUSED
   */
  async put(wanted: Pick<WantedVolume, 'path'>, file: string, base: string | undefined): Promise<void> {
    const path = this.pathOf(wanted);
    await this.#inTurn(path, async () => {
      if (base !== undefined) await this.#cache.use(base, path);
      try {
        await mkdir(dirname(path), { recursive: true, mode: DIRECTORY_MODE });
        await rename(file, path);
        await syncDirectory(dirname(path));
      } catch (cause) {
        throw diskRefused(path, cause);
      }
    });
  }

  async #ensure(wanted: WantedVolume, path: string, settings: VolumeSettings): Promise<ReadyVolume> {
    if (!(await isThere(path))) await this.#make(wanted, path, settings);
    const kind = await this.#kindAt(path, wanted);
    const { isInMemory } = await roomAt(dirname(path));
    const isReadOnly = wanted.type === 'iso';
    return { path, format: kind.format, isReadOnly, memoryBytes: isInMemory && !isReadOnly ? kind.diskBytes : 0 };
  }

  async #make(wanted: WantedVolume, path: string, settings: VolumeSettings): Promise<void> {
    const { type, source, sha256, sizeBytes } = wanted;
    const image = source === undefined ? undefined : await this.#cache.ensure({ source, sha256, ...settings });
    if (image === undefined && (type === 'iso' || sizeBytes === undefined)) {
      throw refused(path, 'is not there', 'Put the file there, or name a source; an empty disk needs a size.');
    }
    if (image !== undefined && sizeBytes !== undefined && sizeBytes < image.diskBytes) {
      throw refused(
        path,
        `would be smaller than its image of ${image.diskBytes} bytes`,
        'Leave the size out, or give more.',
      );
    }
    await mkdir(dirname(path), { recursive: true, mode: DIRECTORY_MODE }).catch((cause: unknown) => {
      throw diskRefused(path, cause);
    });
    if (image !== undefined) await this.#cache.use(image.sha256, path);
    if (type === 'qcow2') await thinVolume({ base: image, path, sizeBytes });
    else if (image !== undefined) await place(image, path);
    // An image whose note was lost meanwhile could be removed, and the disk of the guest with it.
    if (image !== undefined) await this.#cache.use(image.sha256, path);
  }

  /** What a volume is. One that was there before may be any file: the emulator must not guess, so it is judged here. */
  async #kindAt(path: string, { type }: Pick<WantedVolume, 'type'>): Promise<ImageKind & { backing?: Qcow2Backing }> {
    const file = await open(path, 'r').catch((cause: unknown) => {
      throw refused(
        path,
        `cannot be read: ${cause instanceof Error ? cause.message : cause}`,
        'Look at the file.',
        cause,
      );
    });
    try {
      const found = await file.stat();
      if (!found.isFile()) throw refused(path, 'is no plain file', 'Name another path.');
      if (type === 'iso') return { format: 'raw', diskBytes: found.size };
      const { buffer, bytesRead } = await file.read(Buffer.alloc(QCOW2_HEADER_BYTES), 0, QCOW2_HEADER_BYTES, 0);
      const head = buffer.subarray(0, bytesRead);
      const own = Buffer.from(head);
      // The file below is judged on its own.
      if (isQcow2(own)) own.writeBigUInt64BE(0n, 8);
      const kind = imageKind(own, found.size, path);
      if (kind.format === 'qcow2') {
        const backing = qcow2Backing(head);
        if (backing === undefined) return kind;
        await this.#checkBacking(path, backing);
        return { ...kind, backing };
      }
      throw refused(path, 'is no qcow2 file', 'Convert it (qemu-img convert -O qcow2 OLD NEW), or name another path.');
    } finally {
      await file.close();
    }
  }

  /**
   * The emulator opens the file below a volume as root, and the guest of an earlier emulator may have written the name of that file: only
   * the image of which the node has made the volume is taken, in the format of the image.
   */
  async #checkBacking(path: string, backing: Qcow2Backing): Promise<void> {
    const base = await this.#cache.baseOf(path, backing.name);
    const { formats } = backing;
    if (base !== undefined && formats.length > 0 && formats.every((format) => format === base.format)) return;
    throw refused(
      path,
      base === undefined
        ? `is over the file ${JSON.stringify(backing.name.slice(0, 200))}, and this node has not made it so`
        : `does not say that its image is ${base.format}`,
      'Flatten it, if you know the file below: `qemu-img convert -O qcow2 OLD NEW`, and put NEW in its place. Or delete it: the ' +
        'node makes it anew from its source.',
    );
  }
}

/** An ISO is not copied: its path leads to the cache, by a second name of the file if both are on one file system. */
async function place({ path: from }: ReadyImage, path: string): Promise<void> {
  try {
    await link(from, path).catch(() => symlink(from, path));
    await syncDirectory(dirname(path));
  } catch (cause) {
    throw diskRefused(path, cause);
  }
}

async function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

function refused(path: string, why: string, remedy: string, cause?: unknown): MeshError {
  const more = cause === undefined ? {} : { cause };
  return new MeshError('MESH_VOLUME_REFUSED', `the volume ${path} ${why}`, { object: path, remedy, ...more });
}
