/**
 * The files that TFTP serves: the boot loaders of the distribution's package in `<state>/boot/tftp`, and nothing else. They are
 * copies, so that an upgrade of the package does not disturb a transfer.
 */
import { chmod, copyFile, mkdir, rename, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MeshError } from '../../model/error.ts';
import { LOADERS } from '../../services/dnsmasq/boot-loaders.ts';

/** Where Debian and Alpine install the loaders. */
const LOADER_DIRECTORIES = ['/usr/lib/ipxe', '/usr/share/ipxe', '/boot'];

/** The directory that dnsmasq serves by TFTP. */
export interface BootFiles {
  readonly root: string;
  /** MESH_BOOT_FILES_MISSING: which loaders are missing, or why they cannot be copied. */
  readonly missing?: MeshError;
}

/**
 * Copies the loaders to `root`, as far as they differ. Never rejects: host0 runs without loaders, too, and `missing` says what is
 * wrong.
 */
export async function provideBootFiles(
  root: string,
  directories: readonly string[] = LOADER_DIRECTORIES,
): Promise<BootFiles> {
  try {
    return await copyBootFiles(root, directories);
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

async function copyBootFiles(root: string, directories: readonly string[]): Promise<BootFiles> {
  await mkdir(root, { recursive: true });
  // dnsmasq reads the files as its own user, whatever the umask of host0. It may enter the state directory, but not list it.
  await chmod(dirname(root), 0o711);
  await chmod(root, 0o755);
  const missing: string[] = [];
  for (const name of Object.values(LOADERS)) {
    const source = await firstThatExists(directories.map((directory) => join(directory, name)));
    if (source === undefined) missing.push(name);
    else await refresh(source, join(root, name));
  }
  if (missing.length === 0) return { root };
  return {
    root,
    missing: new MeshError('MESH_BOOT_FILES_MISSING', `there is no ${missing.join(' and no ')} to boot machines with`, {
      object: missing.join(', '),
      rule: `They are looked for in ${directories.join(', ')}.`,
      remedy:
        'Install the package that Debian has: `apt-get install ipxe`; elsewhere, put its files there. Then restart host0.',
    }),
  };
}

async function firstThatExists(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) if (await fileStat(path)) return path;
  return undefined;
}

/** Copies unless the copy has the same size and is as new. A file appears under its name only when it is complete. */
async function refresh(source: string, copy: string): Promise<void> {
  const [original, copied] = await Promise.all([fileStat(source), fileStat(copy)]);
  if (copied !== undefined && copied.size === original?.size && copied.mtimeMs >= original.mtimeMs) return;
  await copyFile(source, `${copy}.new`);
  await chmod(`${copy}.new`, 0o644);
  await rename(`${copy}.new`, copy);
}

/** Follows symbolic links. @returns undefined if there is no such file */
async function fileStat(path: string): Promise<{ readonly size: number; readonly mtimeMs: number } | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() ? found : undefined;
}
