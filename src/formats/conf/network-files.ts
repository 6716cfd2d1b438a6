/** Reads the network files of a directory: `*.conf` in the order of their names, without sub-directories. */
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

/** All network files of a directory. A missing directory has none, and is no error. */
export async function readNetworkFiles(directory: string): Promise<NetworkFiles> {
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
      files.push({ file, bytes: await readConfBytes(file) });
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
