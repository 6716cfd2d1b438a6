/**
 * The node image that boot tests share: built when the first of them asks, and kept in one directory for temporary files
 * under a name that follows from the sources that it is made of, so that the next run finds it there.
 */
import { createHash } from 'node:crypto';
import { globSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Generations, type ListedImage } from '../../../src/image/generations.ts';
import { buildNodeImage } from '../../../src/image/node-image.ts';
import { BOOT_SCRIPTS, carriedNode, installPrograms } from '../../../src/image/node-programs.ts';
import { until } from '../until.ts';

/** Made for virtual machines: a third of the size of the one for hardware. */
export const KERNEL = 'linux-image-cloud-amd64';

const TOP = join(import.meta.dirname, '../../..');
const MADE_OF = ['src/**/*', 'packaging/*.ts', 'bin/*', 'package-lock.json'];
const KEPT = 2;
const BUILD_MS = 240_000;

export async function builtImage(): Promise<ListedImage> {
  const directory = join(tmpdir(), `meshwork-test-images-${process.getuid?.()}`);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const stateDirectory = join(directory, sourceHash());
  const lock = `${stateDirectory}.lock`;
  return await until('the image is built', BUILD_MS, async () => {
    const image = await new Generations(stateDirectory).current();
    if (image !== undefined) return image;
    if (!taken(lock)) return undefined;
    try {
      await build(stateDirectory);
      removeOld(directory);
    } finally {
      rmSync(lock, { force: true });
    }
    return await new Generations(stateDirectory).current();
  });
}

async function build(stateDirectory: string): Promise<void> {
  await buildNodeImage({
    stateDirectory,
    kernelPackage: KERNEL,
    packages: [],
    programs: { install: installPrograms, scripts: BOOT_SCRIPTS, ...carriedNode() },
    onStage: () => {},
  });
}

function sourceHash(): string {
  const hash = createHash('sha256').update(process.version);
  const files = globSync(MADE_OF, { cwd: TOP }).filter((file) => !file.endsWith('.test.ts'));
  for (const file of files.sort()) {
    if (statSync(join(TOP, file)).isFile()) hash.update(`${file}\0`).update(readFileSync(join(TOP, file)));
  }
  return hash.digest('hex').slice(0, 16);
}

/** One process builds, and others wait for it; one that died has no say. */
function taken(lock: string): boolean {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch {
    if (!lives(lock)) rmSync(lock, { force: true });
    return false;
  }
}

function lives(lock: string): boolean {
  try {
    const pid = Number(readFileSync(lock, 'utf8'));
    return pid === 0 || statSync(`/proc/${pid}`).isDirectory();
  } catch {
    return false;
  }
}

function removeOld(directory: string): void {
  const images = readdirSync(directory)
    .filter((name) => /^[0-9a-f]{16}$/.test(name))
    .sort((a, b) => statSync(join(directory, b)).mtimeMs - statSync(join(directory, a)).mtimeMs);
  for (const name of images.slice(KEPT)) rmSync(join(directory, name), { recursive: true, force: true });
}
