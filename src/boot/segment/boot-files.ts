/**
 * What TFTP gives out: `<state>/boot/tftp` with the boot loaders of the distribution's package and nothing else. They are
 * copies, so that an upgrade of the package in the middle of a transfer is not seen.
 */
import { chmod, copyFile, mkdir, rename, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MeshError } from '../../model/error.ts';
import { LOADERS } from '../../services/dnsmasq/dnsmasq-conf.ts';

/** Where Debian and Alpine keep the loaders. */
const PLACES = ['/usr/lib/ipxe', '/usr/share/ipxe', '/boot'];

export interface BootFiles {
  readonly root: string;
  readonly missing?: MeshError;
}

/** What is missing, or cannot be copied, is told and left out: the rest of host0 runs all the same. */
export async function provideBootFiles(root: string, places: readonly string[] = PLACES): Promise<BootFiles> {
  try {
    return await copyBootFiles(root, places);
  } catch (cause) {
    const { message } = MeshError.from(cause);
    const missing = new MeshError('MESH_BOOT_FILES_MISSING', `the boot loaders cannot be copied: ${message}`, {
      object: root,
      remedy: 'Make room on the disk, see that it is mounted for writing, and restart host0.',
      cause,
    });
    return { root, missing };
  }
}

async function copyBootFiles(root: string, places: readonly string[]): Promise<BootFiles> {
  await mkdir(root, { recursive: true });
  // dnsmasq reads them as a user of its own, whatever the mask that we were started with; it may pass through, not look around.
  await chmod(dirname(root), 0o711);
  await chmod(root, 0o755);
  const missing: string[] = [];
  for (const name of Object.values(LOADERS)) {
    const source = await firstThatExists(places.map((place) => join(place, name)));
    if (source === undefined) missing.push(name);
    else await refresh(source, join(root, name));
  }
  if (missing.length === 0) return { root };
  return {
    root,
    missing: new MeshError('MESH_BOOT_FILES_MISSING', `there is no ${missing.join(' and no ')} to boot machines with`, {
      object: missing.join(', '),
      rule: `They are looked for in ${places.join(', ')}.`,
      remedy:
        'Install the package that Debian has: `apt-get install ipxe`; elsewhere, put its files there. Then restart host0.',
    }),
  };
}

async function firstThatExists(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) if (await fileStat(path)) return path;
  return undefined;
}

async function refresh(source: string, copy: string): Promise<void> {
  const [theirs, ours] = await Promise.all([fileStat(source), fileStat(copy)]);
  if (ours !== undefined && ours.size === theirs?.size && ours.mtimeMs >= theirs.mtimeMs) return;
  await copyFile(source, `${copy}.new`);
  await chmod(`${copy}.new`, 0o644);
  await rename(`${copy}.new`, copy);
}

/** Of the file behind a link; undefined when there is none. */
async function fileStat(path: string): Promise<{ readonly size: number; readonly mtimeMs: number } | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() ? found : undefined;
}
