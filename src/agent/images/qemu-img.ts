/** Makes volumes with `qemu-img`. The format of a backing file is always given: `qemu-img` would guess it. */
import { execFile } from 'node:child_process';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { syncDirectory } from '../../disk/durable-file.ts';
import { MeshError } from '../../model/error.ts';

/** The volume of a virtual machine, as a file to be made. */
export interface ThinVolume {
  /** The image that the volume is over; undefined for an empty disk. */
  readonly base?: { readonly path: string; readonly format: 'qcow2' | 'raw' } | undefined;
  /** Where it is made. Its directory exists. */
  readonly path: string;
  /** The size of the disk; undefined is that of the image. */
  readonly sizeBytes?: number | undefined;
}

/** It takes 24 ms on an idle machine. */
const TIMEOUT_MS = 60_000;
const VOLUME_MODE = 0o600;

/**
 * Makes a qcow2 file that holds only what is written to it. The file is there as a whole or not at all.
 * @throws MESH_VOLUME_REFUSED, MESH_DISK_REFUSED
 */
export async function thinVolume({ base, path, sizeBytes }: ThinVolume): Promise<void> {
  const temporary = `${path}.new`;
  const backing = base === undefined ? [] : ['-b', base.path, '-F', base.format];
  const size = sizeBytes === undefined ? [] : [String(sizeBytes)];
  try {
    await rm(temporary, { force: true });
    await qemuImg('create', '-q', '-f', 'qcow2', ...backing, '--', temporary, ...size);
    const file = await open(temporary, 'r+');
    try {
      await file.chmod(VOLUME_MODE);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (cause) {
    throw refused(path, cause);
  } finally {
    await rm(temporary, { force: true });
  }
  await syncDirectory(dirname(path));
}

/**
 * Writes the place of its image on this node into a disk that was made on another one. What is in the disk stays.
 * @param path of a qcow2 file with all of its own data, as `imageKind` says
 * @throws MESH_VOLUME_REFUSED, MESH_DISK_REFUSED
 */
export async function setBase(path: string, base: { path: string; format: 'qcow2' | 'raw' }): Promise<void> {
  try {
    await qemuImg('rebase', '-q', '-u', '-f', 'qcow2', '-F', base.format, '-b', base.path, '--', path);
  } catch (cause) {
    throw refused(path, cause);
  }
}

async function qemuImg(...args: readonly string[]): Promise<void> {
  await promisify(execFile)('qemu-img', args, { timeout: TIMEOUT_MS, env: { ...process.env, LC_ALL: 'C' } });
}

function refused(path: string, cause: unknown): MeshError {
  if (cause instanceof MeshError) return cause;
  const { stderr, code } = wordsOf(cause);
  const isAbsent = code === 'ENOENT' && stderr === undefined;
  const isFull = /no space left/i.test(stderr ?? '') || code === 'ENOSPC';
  const why = isAbsent
    ? 'qemu-img is not installed'
    : (stderr ?? (cause instanceof Error ? cause.message : String(cause)));
  const remedy = isAbsent
    ? 'Install it on this node: the package qemu-utils on Debian, qemu-img on Alpine.'
    : 'Make room on the disk, and start the virtual machine again.';
  return new MeshError(
    isFull ? 'MESH_DISK_REFUSED' : 'MESH_VOLUME_REFUSED',
    `the volume ${path} cannot be made: ${why}`,
    {
      operation: 'make volume',
      object: path,
      remedy: isAbsent || isFull ? remedy : 'Look at the image and at the directory of the volume.',
      cause,
    },
  );
}

/** The last line of what the program said, and the code of an error of the system. */
function wordsOf(cause: unknown): { readonly stderr: string | undefined; readonly code: string | undefined } {
  if (typeof cause !== 'object' || cause === null) return { stderr: undefined, code: undefined };
  const stderr: unknown = Reflect.get(cause, 'stderr');
  const code: unknown = Reflect.get(cause, 'code');
  const last = typeof stderr === 'string' ? stderr.trim().split('\n').at(-1) : undefined;
  return { stderr: last === '' ? undefined : last?.slice(0, 300), code: typeof code === 'string' ? code : undefined };
}
