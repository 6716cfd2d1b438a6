/**
 * host0's images for nodes: one directory for each generation, named by a hash of its content. The link `current` names
 * the image that machines boot; the previous image is kept for machines that are fetching it.
 */

import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, readlink, rename, rm, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory, syncDirectory, writeSynced } from '../../disk/durable-file.ts';
import { MeshError } from '../../model/error.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import * as form from '../../protocol/shapes/form.ts';

/** `image.json`: the description of an image. */
export interface NodeImage {
  /** 16 hex digits of SHA-256 over kernel and initramfs: the same content has the same name. */
  readonly generation: string;
  readonly flavor: 'debian';
  /** What `uname -r` prints. */
  readonly kernelRelease: string;
  /** Arguments that this kernel needs on its command line. */
  readonly kernelArguments: readonly string[];
  readonly vmlinuz: ImageFile;
  readonly initrd: ImageFile;
  /** One `name version` for each package in it. */
  readonly packages: readonly string[];
  readonly meshworkVersion: string;
  readonly nodeVersion: string;
  /** Of the Node.js executable before its symbols were left out. Absent in images of older versions. */
  readonly nodeSha256?: string;
}

/** One file of an image. */
export interface ImageFile {
  readonly bytes: number;
  /** Of the file's bytes, in hex. */
  readonly sha256: string;
}

const PACKAGES_MAX = 10_000;
const WordShape = form.string({ pattern: /^[\x21-\x7e]{1,200}$/ });
const ImageFileShape: form.Shape<ImageFile> = form.object({
  bytes: form.int(0),
  sha256: form.string({ pattern: /^[0-9a-f]{64}$/ }),
});
const NodeImageShape: form.Shape<NodeImage> = form.object({
  generation: form.string({ pattern: /^[0-9a-f]{16}$/ }),
  flavor: form.literal('debian'),
  kernelRelease: WordShape,
  // Each becomes a word of a boot script's line.
  kernelArguments: form.listOf(WordShape, 64),
  vmlinuz: ImageFileShape,
  initrd: ImageFileShape,
  packages: form.listOf(form.string({ max: 500 }), PACKAGES_MAX),
  meshworkVersion: form.string(),
  nodeVersion: form.string(),
  nodeSha256: form.exactOptional(form.string({ pattern: /^[0-9a-f]{64}$/ })),
});

/** An image on host0's disk. */
export interface ListedImage extends NodeImage {
  /** True for the image that machines boot. */
  readonly current: boolean;
  /** ISO 8601, UTC. */
  readonly builtAt: string;
  readonly directory: string;
}

/** The current image and the previous one, which machines may be fetching. */
const KEPT = 2;
/** The files of an image. The description comes last: a directory without it is not an image. */
const FILES = ['vmlinuz', 'initrd.img', 'image.json'];
const CURRENT = 'current';
const GENERATION = /^[0-9a-f]{16}$/;
/** Names of directories and links that a crash left unfinished. */
const UNFINISHED = /\.new(?:-[0-9a-f]+)?$/;

/** The images in host0's state directory. */
export class Generations {
  /** `images/node` in the state directory. */
  readonly directory: string;

  /** @param stateDirectory host0's state directory (`Paths.state`) */
  constructor(stateDirectory: string) {
    this.directory = join(stateDirectory, 'images/node');
  }

  /**
   * Stores an image and makes it the one that machines boot; durable when it resolves. After a power cut `current` names
   * either the old image or this one. Removes images that are neither current nor the previous one.
   * @throws MESH_DISK_REFUSED
   */
  async publish(image: NodeImage, files: { readonly vmlinuz: Uint8Array; readonly initrd: Uint8Array }): Promise<void> {
    if (await this.#isWhole(image)) await this.#setCurrent(image.generation);
    else await this.#write(image, files);
    await this.#collectGarbage();
  }

  async #write(image: NodeImage, files: { readonly vmlinuz: Uint8Array; readonly initrd: Uint8Array }): Promise<void> {
    const finished = join(this.directory, image.generation);
    const unfinished = `${finished}.new-${randomBytes(4).toString('hex')}`;
    await makeDirectory(this.directory);
    try {
      await mkdir(unfinished);
      await writeSynced(join(unfinished, 'vmlinuz'), files.vmlinuz, 0o644);
      await writeSynced(join(unfinished, 'initrd.img'), files.initrd, 0o644);
      await writeSynced(join(unfinished, 'image.json'), `${JSON.stringify(image, null, 2)}\n`, 0o644);
      await syncDirectory(unfinished);
      if (await isDirectory(finished)) await mend(finished, unfinished);
      else await rename(unfinished, finished);
      await syncDirectory(this.directory);
      await this.#setCurrent(image.generation);
    } catch (cause) {
      await rm(unfinished, { recursive: true, force: true }).catch(() => undefined);
      if (cause instanceof MeshError) throw cause;
      throw new MeshError('MESH_DISK_REFUSED', `${unfinished} cannot be written: ${MeshError.from(cause).message}`, {
        operation: 'write image',
        object: this.directory,
        remedy:
          'Make room on the disk, and check that it is mounted for writing; until then machines boot the previous image',
        cause,
        retryable: true,
      });
    }
  }

  /** Whether this image is already on the disk, undamaged. */
  async #isWhole({ generation, vmlinuz, initrd }: NodeImage): Promise<boolean> {
    const hashes = await Promise.all(FILES.map((name) => hashOf(join(this.directory, generation, name))));
    return hashes[0] === vmlinuz.sha256 && hashes[1] === initrd.sha256 && hashes[2] !== undefined;
  }

  /** The image that machines boot; undefined while there is none. */
  async current(): Promise<ListedImage | undefined> {
    return (await this.list()).find(({ current }) => current);
  }

  /** All complete images, the newest first. */
  async list(): Promise<ListedImage[]> {
    const current = await this.#currentGeneration();
    const names = (await this.#names()).filter((name) => GENERATION.test(name));
    const images = await Promise.all(names.map((name) => this.#read(name, current)));
    return images.filter((image) => image !== undefined).sort((a, b) => (a.builtAt < b.builtAt ? 1 : -1));
  }

  async #names(): Promise<string[]> {
    return await readdir(this.directory).catch(() => []);
  }

  async #read(generation: string, current: string | undefined): Promise<ListedImage | undefined> {
    const directory = join(this.directory, generation);
    try {
      const file = join(directory, 'image.json');
      const { document: image } = readDocument(NodeImageShape, await readFile(file, 'utf8'));
      if (image?.generation !== generation) return undefined;
      const builtAt = (await stat(file)).mtime.toISOString();
      return { ...image, current: generation === current, builtAt, directory };
    } catch {
      // An incomplete directory, for example one that an administrator was copying, is not an image.
      return undefined;
    }
  }

  async #currentGeneration(): Promise<string | undefined> {
    try {
      return await readlink(join(this.directory, CURRENT));
    } catch {
      return undefined;
    }
  }

  async #setCurrent(generation: string): Promise<void> {
    const temporary = join(this.directory, `${CURRENT}.new`);
    await rm(temporary, { force: true });
    await symlink(generation, temporary);
    await rename(temporary, join(this.directory, CURRENT));
    await syncDirectory(this.directory);
  }

  async #collectGarbage(): Promise<void> {
    const kept = (await this.list())
      .sort((a, b) => Number(b.current) - Number(a.current))
      .slice(0, KEPT)
      .map(({ generation }) => generation);
    for (const name of await this.#names()) {
      const old = GENERATION.test(name) && !kept.includes(name);
      if (old || UNFINISHED.test(name)) await rm(join(this.directory, name), { recursive: true, force: true });
    }
  }
}

/**
 * Replaces the files of a damaged image one by one. The directory itself is not replaced, because `current` may name it:
 * at any moment each file is there, either the damaged or the whole one.
 */
async function mend(damaged: string, whole: string): Promise<void> {
  for (const name of FILES) await rename(join(whole, name), join(damaged, name));
  await syncDirectory(damaged);
  await rm(whole, { recursive: true });
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}

async function hashOf(path: string): Promise<string | undefined> {
  try {
    return createHash('sha256')
      .update(await readFile(path))
      .digest('hex');
  } catch {
    return undefined;
  }
}
