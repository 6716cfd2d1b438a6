/**
 * The disk images of a cache, as they are on the disk:
 *
 *     DIRECTORY/<sha256>                the image, for reading only
 *     DIRECTORY/uses/<sha256>.<16 hex>  a link to a volume over the image
 *     DIRECTORY/parts/<16 hex>          an image that has arrived in part
 *     DIRECTORY/index.json              where the images came from, and when they were used
 *
 * An image that the index does not name is used still: its name is its hash. A volume over an image is known by its link, also after
 * a crash between the two.
 */
import { type FileHandle, lstat, lutimes, open, readdir, readlink, rename, rm, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { ifThere, makeDirectory, syncDirectory } from '../../disk/durable-file.ts';
import { StateFile, type StateForm } from '../../disk/state-file.ts';
import { IMAGE_HEAD_BYTES, type ImageKind, imageKind } from '../../formats/binary/image-kind.ts';
import { errnoOf } from '../../formats/conf/conf-reader.ts';
import { MeshError } from '../../model/error.ts';
import { genid } from '../../model/genid.ts';
import type { Finding } from '../../protocol/documents/finding.ts';
import * as form from '../../protocol/shapes/form.ts';
import { diskRefused, removePart, removePartNote } from './part-file.ts';

/** An image of the cache. */
export interface ShelvedImage extends ImageKind {
  readonly sha256: string;
  readonly sources: readonly string[];
  readonly sizeBytes: number;
  /** When it was wanted last, in milliseconds since 1970. */
  readonly usedAtMs: number;
}

const ShelvedShape = form.object({
  sha256: form.string({ pattern: /^[\da-f]{64}$/ }),
  sources: form.listOf(form.string({ max: 2_100 }), 100),
  usedAtMs: form.number(),
});
const IndexShape = form.object({ images: form.listOf(ShelvedShape, 100_000) });
const INDEX: StateForm<form.TypeOf<typeof IndexShape>> = {
  version: 1,
  shape: IndexShape,
  holds: 'the sources of disk images',
  remedy: 'Images whose source is forgotten are fetched again when a virtual machine names the source.',
  comesBack: true,
};

/** QEMU opens its disks as root. */
const DIRECTORY_MODE = 0o700;
const SOURCES_MAX = 100;
/** What has arrived in part is kept for so long. */
const PART_KEPT_MS = 24 * 3_600_000;
/** A volume is made in less time: `qemu-img` may take a minute. */
const MAKING_MS = 600_000;

/** The images on the disk, and what uses them. Open it once before all else. */
export class ImageShelf {
  readonly directory: string;
  readonly #index: StateFile<form.TypeOf<typeof IndexShape>>;
  readonly #images = new Map<string, ShelvedImage>();

  constructor(directory: string) {
    this.directory = directory;
    this.#index = new StateFile(join(directory, 'index.json'), INDEX);
  }

  /** Reads what is there. @throws MESH_DISK_REFUSED */
  async open(nowMs: number): Promise<void> {
    for (const directory of [this.directory, join(this.directory, 'uses'), join(this.directory, 'parts')]) {
      await makeDirectory(directory, DIRECTORY_MODE);
    }
    const known = new Map((await this.#index.read())?.images.map((image) => [image.sha256, image]));
    for (const name of await readdir(this.directory)) {
      if (!/^[\da-f]{64}$/.test(name)) continue;
      const image = await this.#imageAt(name);
      if (image === undefined) continue;
      const { sources = [], usedAtMs = nowMs } = known.get(name) ?? {};
      this.#images.set(name, { ...image, sources, usedAtMs });
    }
    await this.sweepParts(nowMs, () => false);
  }

  get images(): readonly ShelvedImage[] {
    return [...this.#images.values()];
  }

  get usedBytes(): number {
    return this.images.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  /** A finding while the index cannot be used. */
  health(): readonly Finding[] {
    return this.#index.health();
  }

  pathOf(sha256: string): string {
    return join(this.directory, sha256);
  }

  /** Where the part of an image arrives. @param name of the transfer */
  partPath(name: string): string {
    return join(this.directory, 'parts', genid(['image', name], 16));
  }

  /** Puts a file that is whole and durable into its place. @throws MESH_DISK_REFUSED */
  async put(part: string, sha256: string, source: string, kind: ImageKind, nowMs: number): Promise<ShelvedImage> {
    const path = this.pathOf(sha256);
    await refusing(path, () => rename(part, path));
    await removePartNote(part);
    await syncDirectory(this.directory);
    const { size } = await stat(path);
    const sources = this.#images.get(sha256)?.sources ?? [];
    this.#images.set(sha256, { ...kind, sha256, sources, sizeBytes: size, usedAtMs: nowMs });
    return this.wanted(sha256, source, nowMs);
  }

  /** Notes that an image was wanted. */
  async wanted(sha256: string, source: string, nowMs: number): Promise<ShelvedImage> {
    const image = this.#images.get(sha256);
    if (image === undefined) throw new TypeError(`there is no image ${sha256}`);
    // A source has one image: what it had before is not what it gives now.
    for (const other of this.images) {
      if (other.sha256 === sha256 || !other.sources.includes(source)) continue;
      this.#images.set(other.sha256, { ...other, sources: other.sources.filter((one) => one !== source) });
    }
    const sources = [source, ...image.sources.filter((one) => one !== source)].slice(0, SOURCES_MAX);
    const now = { ...image, sources, usedAtMs: nowMs };
    this.#images.set(sha256, now);
    await this.#keep();
    return now;
  }

  /** Removes an image. @throws MESH_DISK_REFUSED */
  async remove(sha256: string): Promise<void> {
    const image = this.#images.get(sha256);
    // Who asks for the image meanwhile must not get one that is about to go.
    this.#images.delete(sha256);
    try {
      await refusing(this.pathOf(sha256), () => rm(this.pathOf(sha256), { force: true }));
    } catch (error) {
      if (image !== undefined) this.#images.set(sha256, image);
      throw error;
    }
    await this.#keep();
  }

  /**
   * Notes a volume over an image: before it is made, and again when it is there.
   * @throws MESH_DISK_IMAGE_FETCH if the image was removed meanwhile, MESH_DISK_REFUSED
   */
  async use(sha256: string, volume: string, nowMs: number): Promise<void> {
    if (!this.#images.has(sha256)) {
      throw new MeshError('MESH_DISK_IMAGE_FETCH', `the image of ${volume} was deleted meanwhile`, {
        object: volume,
        remedy: 'Start the virtual machine again: its image is fetched again.',
        retryable: true,
      });
    }
    const link = join(this.directory, 'uses', `${sha256}.${useOf(volume)}`);
    await refusing(link, async () => {
      await symlink(volume, link).catch((error: unknown) => {
        if (errnoOf(error) !== 'EEXIST') throw error;
      });
      await lutimes(link, nowMs / 1000, nowMs / 1000);
    });
    await syncDirectory(join(this.directory, 'uses'));
  }

  /** Forgets a volume that was removed. */
  async endUse(volume: string): Promise<void> {
    const directory = join(this.directory, 'uses');
    for (const name of await readdir(directory).catch(() => [])) {
      if (name.endsWith(`.${useOf(volume)}`) && (await isGone(volume)))
        await rm(join(directory, name), { force: true });
    }
  }

  /** The volumes over each image. A link to a volume that is gone is removed, unless the volume may be in the making. */
  async uses(nowMs: number): Promise<ReadonlyMap<string, readonly string[]>> {
    const uses = new Map<string, string[]>();
    for (const name of await readdir(join(this.directory, 'uses')).catch(() => [])) {
      const link = join(this.directory, 'uses', name);
      const [volume, found] = await Promise.all([ifThere(readlink(link)), ifThere(lstat(link))]);
      if (volume === undefined || found === undefined) continue;
      if (nowMs - found.mtimeMs > MAKING_MS && (await isGone(volume))) await rm(link, { force: true });
      else uses.set(name.slice(0, 64), [...(uses.get(name.slice(0, 64)) ?? []), volume]);
    }
    return uses;
  }

  /** Removes parts that nobody has gone on with for a day. @param isActive whether a transfer has the path of a part */
  async sweepParts(nowMs: number, isActive: (path: string) => boolean): Promise<void> {
    const directory = join(this.directory, 'parts');
    const names = new Set((await readdir(directory)).map((name) => name.replace(/\.json$/, '')));
    for (const name of names) {
      const path = join(directory, name);
      // The note beside a part is written once, when its first bytes come. It counts only if there is no part.
      const found = (await ifThere(lstat(path))) ?? (await ifThere(lstat(`${path}.json`)));
      if (found === undefined || nowMs - found.mtimeMs <= PART_KEPT_MS || isActive(path)) continue;
      await removePart(path);
    }
  }

  /** The bytes of parts. @param but the paths of those that are not counted */
  async partBytes(but: ReadonlySet<string>): Promise<number> {
    const directory = join(this.directory, 'parts');
    let sum = 0;
    for (const name of await readdir(directory)) {
      const path = join(directory, name);
      if (!but.has(path)) sum += (await ifThere(lstat(path)))?.size ?? 0;
    }
    return sum;
  }

  /** Undefined for a file that is no image: an outsider has put it there. */
  async #imageAt(sha256: string): Promise<Omit<ShelvedImage, 'sources' | 'usedAtMs'> | undefined> {
    let file: FileHandle | undefined;
    try {
      file = await open(this.pathOf(sha256), 'r');
      const { size } = await file.stat();
      const { buffer, bytesRead } = await file.read(Buffer.alloc(IMAGE_HEAD_BYTES), 0, IMAGE_HEAD_BYTES, 0);
      return { sha256, sizeBytes: size, ...imageKind(buffer.subarray(0, bytesRead), size, sha256) };
    } catch {
      return undefined;
    } finally {
      await file?.close();
    }
  }

  /** What the index says can be lost: an error is a finding of the file, and harms no virtual machine. */
  async #keep(): Promise<void> {
    const images = this.images.map(({ sha256, sources, usedAtMs }) => ({ sha256, sources: [...sources], usedAtMs }));
    await this.#index.write({ images }).catch(() => undefined);
  }
}

/** The end of the name of the link to a volume. */
function useOf(volume: string): string {
  return genid(['volume', volume], 16);
}

/** A volume whose directory is gone, too, may be on a disk that is not mounted now. */
async function isGone(volume: string): Promise<boolean> {
  if ((await ifThere(lstat(volume))) !== undefined) return false;
  return (await ifThere(lstat(join(volume, '..')))) !== undefined;
}

async function refusing<T>(path: string, write: () => Promise<T>): Promise<T> {
  return write().catch((cause: unknown) => {
    throw diskRefused(path, cause);
  });
}
