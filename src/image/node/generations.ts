/**
 * The images that host0 has for nodes, one directory each, named by what is in it. `current` names the one that machines
 * boot; what they are booting from stays for a while.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, readlink, rename, rm, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory, syncDirectory, writeSynced } from '../../disk/durable-file.ts';
import { MeshError } from '../../model/error.ts';

/** `image.json`: what is in an image. */
export interface NodeImage {
  /** 16 hex digits of SHA-256 over kernel and initramfs: the same content has the same name. */
  readonly generation: string;
  readonly flavor: 'debian';
  /** What `uname -r` prints. */
  readonly kernelRelease: string;
  /** For the kernel's command line, before anything else. */
  readonly kernelArguments: readonly string[];
  readonly vmlinuz: ImageFile;
  readonly initrd: ImageFile;
  /** `name version`, in the order of the names. */
  readonly packages: readonly string[];
  readonly meshworkVersion: string;
  readonly nodeVersion: string;
}

export interface ImageFile {
  readonly bytes: number;
  readonly sha256: string;
}

export interface ListedImage extends NodeImage {
  /** Machines boot this one. */
  readonly current: boolean;
  readonly builtAt: string;
  readonly directory: string;
}

/** The current one and the one before: machines may be in the middle of fetching that. */
const KEPT = 2;
/** The description last: without it, a directory is no image. */
const FILES = ['vmlinuz', 'initrd.img', 'image.json'];
const CURRENT = 'current';
const GENERATION = /^[0-9a-f]{16}$/;
/** Of what was never finished. */
const UNFINISHED = /\.new(?:-[0-9a-f]+)?$/;

export class Generations {
  readonly directory: string;

  /** @param stateDirectory host0's, as in Paths */
  constructor(stateDirectory: string) {
    this.directory = join(stateDirectory, 'images/node');
  }

  /**
   * Puts an image beside the others and lets machines boot it; durable when it resolves. After a power cut `current` is
   * the old one or this one.
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
          'Make room on the disk, and see that it is mounted for writing; machines boot the image that was there before',
        cause,
        retryable: true,
      });
    }
  }

  /** Whether the same image is here already, undamaged. */
  async #isWhole({ generation, vmlinuz, initrd }: NodeImage): Promise<boolean> {
    const hashes = await Promise.all(FILES.map((name) => hashOf(join(this.directory, generation, name))));
    return hashes[0] === vmlinuz.sha256 && hashes[1] === initrd.sha256 && hashes[2] !== undefined;
  }

  /** The image that machines boot; undefined while there is none. */
  async current(): Promise<ListedImage | undefined> {
    return (await this.list()).find(({ current }) => current);
  }

  /** All whole images, the newest first. */
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
      const image = JSON.parse(await readFile(file, 'utf8')) as NodeImage;
      const builtAt = (await stat(file)).mtime.toISOString();
      return { ...image, current: generation === current, builtAt, directory };
    } catch {
      // Half of one, left by a hand that copied: it is no image.
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
 * Files that are damaged, by what they should be: one after the other, and never the whole directory, which `current` may
 * name. At any moment each of them is there, as it was or as it should be.
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
