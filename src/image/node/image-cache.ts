/**
 * Images for whoever needs one and no particular one, as labs do: kept in one directory, each below a name that follows
 * from what of ours is in it. The next who asks for the same finds it there.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MeshError } from '../../model/error.ts';
import { findMark, isRunning, type ProcessMark } from '../../services/process/process-mark.ts';
import { Generations, type ListedImage } from './generations.ts';
import { buildNodeImage } from './node-image.ts';
import { carriedNode, installPrograms } from './node-programs.ts';
import { BOOT_SCRIPTS } from './program-files.ts';

/** Made for virtual machines: a third of the size of the one for hardware. */
const KERNEL = 'linux-image-cloud-amd64';
const KEPT = 2;
const LOOK_MS = 200;
/** Twenty times what it takes. */
const BUILT_WITHIN_MS = 240_000;

export interface CachedImage {
  readonly image: ListedImage;
  /** What a state directory has as `images`. */
  readonly images: string;
}

export interface ImageCacheOptions {
  /** `XDG_CACHE_HOME/meshwork/images`, unless told otherwise. */
  readonly directory?: string;
  readonly onStage?: (stage: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * An image of this Meshwork for virtual machines: the one that is there, or a new one.
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
        remedy: `See whose number is in ${lock}, and end that process.`,
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

/** Of all of ours that goes into an image. Debian's packages are those of the day on which it is built. */
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

/** One process builds, and others wait for it; one that died has no say. */
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
  // Gone again, or just being written.
  if (text === undefined || text === '') return true;
  return isRunning(JSON.parse(text) as ProcessMark);
}

async function removeOld(directory: string): Promise<void> {
  const names = (await readdir(directory)).filter((name) => /^[0-9a-f]{16}$/.test(name));
  const aged = await Promise.all(
    names.map(async (name) => ({ name, ms: (await stat(join(directory, name))).mtimeMs })),
  );
  const old = aged.sort((a, b) => b.ms - a.ms).slice(KEPT);
  for (const { name } of old) await rm(join(directory, name), { recursive: true, force: true });
}
