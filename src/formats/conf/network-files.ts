/** Reads the network files of a directory: `*.conf` in the order of their names, without sub-directories. */
import { statSync } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { MeshError } from '../../model/error.ts';
import { systemWords } from '../system-error.ts';
import { errnoOf, readConfBytes, unreadable } from './conf-reader.ts';
import type { NetworkFile } from './network-set.ts';

/** What could be read of a directory, and what could not. */
export interface NetworkFiles {
  readonly files: readonly NetworkFile[];
  /** MESH_CONF_UNREADABLE for the directory or a file in it. */
  readonly errors: readonly MeshError[];
  /** There is no such directory. */
  readonly missing: boolean;
}

/** A file as it was read, with what the file system said of it then. */
interface ReadFile {
  readonly stamp: string;
  readonly file: NetworkFile;
}

/**
 * A file that was written so shortly before it was read may be written again without a trace: file systems count times in steps of up
 * to two seconds.
 */
const STAMP_STEP_MS = 2_000;

/** Reads one directory again and again. A file that has not changed since is the same object, and is not read again. */
export class NetworkFilesReader {
  #read = new Map<string, ReadFile>();

  /** @param nowMs the time in milliseconds since 1970 */
  async read(directory: string, nowMs: number): Promise<NetworkFiles> {
    const before = this.#read;
    const now = new Map<string, ReadFile>();
    const found = await readNetworkFiles(directory, async (path) => {
      const stamp = stampOf(path, nowMs);
      const known = before.get(path);
      const isKnown = stamp !== undefined && known?.stamp === stamp;
      const file = isKnown ? known.file : { file: path, bytes: await readConfBytes(path) };
      if (stamp !== undefined) now.set(path, { stamp, file });
      return file;
    });
    this.#read = now;
    return found;
  }
}

/** What changes with the content of a file; undefined for a file that has just been written, or cannot be looked at. */
function stampOf(path: string, nowMs: number): string | undefined {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs, ctimeMs } = statSync(path, { bigint: true });
    return Number(ctimeMs) + STAMP_STEP_MS > nowMs ? undefined : [dev, ino, size, mtimeNs, ctimeNs].join();
  } catch {
    return undefined;
  }
}

/**
 * All network files of a directory. A missing directory has none, and is no error.
 * @param read reads one of them
 */
export async function readNetworkFiles(
  directory: string,
  read: (path: string) => Promise<NetworkFile> = async (file) => ({ file, bytes: await readConfBytes(file) }),
): Promise<NetworkFiles> {
  let names: string[];
  try {
    const found = await readdir(directory, { withFileTypes: true });
    names = found.filter((entry) => !entry.isDirectory() && isNetworkFile(entry.name)).map((entry) => entry.name);
  } catch (cause) {
    const missing = errnoOf(cause) === 'ENOENT';
    return { files: [], errors: missing ? [] : [unreadable(directory, cause)], missing };
  }
  const files: NetworkFile[] = [];
  const errors: MeshError[] = [];
  for (const name of names.sort()) {
    const file = join(directory, name);
    try {
      files.push(await read(file));
    } catch (cause) {
      if (!(await wasRemoved(file, cause))) errors.push(unreadable(file, cause));
    }
  }
  return { files, errors, missing: false };
}

/**
 * A single network file that a user named, under any name.
 * @throws MESH_OBJECT_UNKNOWN, MESH_CONF_UNREADABLE
 */
export async function readNetworkFile(file: string): Promise<NetworkFile> {
  try {
    return { file, bytes: await readConfBytes(file) };
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') {
      throw new MeshError('MESH_OBJECT_UNKNOWN', `there is no file ${file}`, {
        operation: 'read file',
        object: file,
        remedy: 'Give the path of a network file. `mesh network conf NAME` prints a new one.',
        cause,
      });
    }
    throw new MeshError('MESH_CONF_UNREADABLE', `${file} cannot be read: ${systemWords(cause)}`, {
      operation: 'read file',
      object: file,
      remedy: 'Give the path of a network file that this user may read.',
      cause,
    });
  }
}

/** Hidden files are left out: editors write their unfinished copies under such names. */
function isNetworkFile(name: string): boolean {
  return name.endsWith('.conf') && !name.startsWith('.');
}

/** Whether a file was removed after the directory was listed. A broken symbolic link was not. */
async function wasRemoved(path: string, cause: unknown): Promise<boolean> {
  if (errnoOf(cause) !== 'ENOENT') return false;
  return lstat(path).then(
    () => false,
    (error) => errnoOf(error) === 'ENOENT',
  );
}
