/**
 * A cache of images for labs, which need any image of this Meshwork. All are in one directory, each named by a hash of
 * Meshwork's programs in it, so that the next lab with the same programs finds it there.
 */

import { createHash } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MeshError } from '../../model/error.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import { findMark, isRunning, ProcessMarkShape } from '../../services/process/process-mark.ts';
import { Generations, type ListedImage } from './generations.ts';
import { buildNodeImage } from './node-image.ts';
import { carriedNode, installPrograms } from './node-programs.ts';
import { BOOT_SCRIPTS } from './program-files.ts';

/** Debian's kernel for virtual machines: a third of the size of the one for hardware. */
const KERNEL = 'linux-image-cloud-amd64';
const KEPT = 2;
const LOOK_MS = 200;
/** Twenty times what building an image takes. */
const BUILT_WITHIN_MS = 240_000;

/** An image of the cache. */
interface CachedImage {
  readonly image: ListedImage;
  /** The directory to link to as `images` in host0's state directory. */
  readonly images: string;
}

interface ImageCacheOptions {
  /** Default: `XDG_CACHE_HOME/meshwork/images`. */
  readonly directory?: string;
  /** Called with what is being done, as a verb phrase in -ing. */
  readonly onStage?: (stage: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * An image of this Meshwork for virtual machines, from the cache or newly built. If another process builds it, waits for that.
 * @throws MESH_IMAGE_PACKAGES, MESH_IMAGE_FAILED, MESH_DISK_REFUSED
 */
export async function cachedNodeImage(options: ImageCacheOptions = {}): Promise<CachedImage> {
  const { directory = defaultDirectory(), onStage = () => {}, signal } = options;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  onStage('looking for an image of this Meshwork');
  const stateDirectory = join(directory, await nameOfContent());
  const lock = `${stateDirectory}.lock`;
  const giveUpAt = performance.now() + BUILT_WITHIN_MS;
  for (;;) {
    signal?.throwIfAborted();
    const image = await new Generations(stateDirectory).current();
    if (image !== undefined) return { image, images: join(stateDirectory, 'images') };
    if (await take(lock)) {
      try {
        await build(stateDirectory, (stage) => {
          signal?.throwIfAborted();
          onStage(stage);
        });
        await removeOld(directory);
      } finally {
        await rm(lock, { force: true });
      }
    } else if (performance.now() > giveUpAt) {
      throw new MeshError('MESH_IMAGE_FAILED', `another process has been building the image in ${stateDirectory}`, {
        operation: 'build image',
        object: lock,
        remedy: `End the process whose number is in ${lock}.`,
      });
    } else {
      onStage('waiting for another process that builds the image');
      await sleep(LOOK_MS);
    }
  }
}

function defaultDirectory(): string {
  return join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'meshwork/images');
}

async function build(stateDirectory: string, onStage: (stage: string) => void): Promise<void> {
  await buildNodeImage({
    stateDirectory,
    kernelPackage: KERNEL,
    packages: [],
    programs: { install: installPrograms, scripts: BOOT_SCRIPTS, ...carriedNode() },
    onStage: (stage) => onStage(`building the image: ${stage.charAt(0).toLowerCase()}${stage.slice(1)}`),
  });
}

/**
 * 16 hex digits of SHA-256 over everything of Meshwork's in an image, the Node version and the kernel's name. Debian's
 * packages are not part of it: an image has those of the day on which it was built.
 */
async function nameOfContent(): Promise<string> {
  const work = mkdtempSync(join(tmpdir(), 'meshwork-programs-'));
  try {
    await installPrograms(work);
    const hash = createHash('sha256').update(`${process.version} ${KERNEL}`);
    for (const top of [work, BOOT_SCRIPTS]) {
      const entries = await readdir(top, { recursive: true, withFileTypes: true });
      const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
      for (const file of files.sort()) hash.update(`\0${relative(top, file)}\0`).update(await readFile(file));
    }
    return hash.digest('hex').slice(0, 16);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Takes the lock if no living process holds it. One process builds; the others wait for it. */
async function take(lock: string): Promise<boolean> {
  try {
    await writeFile(lock, JSON.stringify(findMark(process.pid)), { flag: 'wx' });
    return true;
  } catch {
    if (!(await isHeld(lock))) await rm(lock, { force: true });
    return false;
  }
}

async function isHeld(lock: string): Promise<boolean> {
  const text = await readFile(lock, 'utf8').catch(() => undefined);
  // The lock has just been removed, or is just being written.
  if (text === undefined || text === '') return true;
  const { document: mark } = readDocument(ProcessMarkShape, text);
  return mark !== undefined && isRunning(mark);
}

async function removeOld(directory: string): Promise<void> {
  const names = (await readdir(directory)).filter((name) => /^[0-9a-f]{16}$/.test(name));
  const aged = await Promise.all(
    names.map(async (name) => ({ name, ms: (await stat(join(directory, name))).mtimeMs })),
  );
  const old = aged.sort((a, b) => b.ms - a.ms).slice(KEPT);
  for (const { name } of old) await rm(join(directory, name), { recursive: true, force: true });
}
