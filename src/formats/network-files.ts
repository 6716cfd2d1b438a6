/** Reads the network files of a directory: `*.conf`, in the order of their names, not those of sub-directories. */
import { constants } from 'node:fs';
import { lstat, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { MeshError } from '../model/error.ts';
import { CONF_FILE_MAX_BYTES } from './conf-file.ts';
import type { NetworkFile } from './network-set.ts';

export interface NetworkFiles {
  readonly files: readonly NetworkFile[];
  /** MESH_NET_FILE_UNREADABLE for the directory or a file in it. */
  readonly errors: readonly MeshError[];
}

/** A directory that is missing is an empty one. Of a file no more is read than shows that it is too large. */
export async function readNetworkFiles(directory: string): Promise<NetworkFiles> {
  let names: string[];
  try {
    const found = await readdir(directory, { withFileTypes: true });
    names = found.filter((entry) => !entry.isDirectory() && isNetworkFile(entry.name)).map((entry) => entry.name);
  } catch (cause) {
    return { files: [], errors: errnoOf(cause) === 'ENOENT' ? [] : [unreadable(directory, cause)] };
  }
  const files: NetworkFile[] = [];
  const errors: MeshError[] = [];
  for (const name of names.sort()) {
    const file = join(directory, name);
    try {
      files.push({ file, bytes: await readHead(file) });
    } catch (cause) {
      if (!(await wasRemoved(file, cause))) errors.push(unreadable(file, cause));
    }
  }
  return { files, errors };
}

/** @throws MESH_NET_FILE_UNREADABLE */
export async function readNetworkFile(file: string): Promise<NetworkFile> {
  try {
    return { file, bytes: await readHead(file) };
  } catch (cause) {
    throw unreadable(file, cause);
  }
}

/** Hidden files are an editor's, half written. */
function isNetworkFile(name: string): boolean {
  return name.endsWith('.conf') && !name.startsWith('.');
}

async function readHead(path: string): Promise<Uint8Array> {
  // Without O_NONBLOCK, a named pipe would hold us until somebody writes to it.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!(await file.stat()).isFile()) throw new Error('not a regular file');
    const head = Buffer.alloc(CONF_FILE_MAX_BYTES + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await file.read(head, length, head.length - length);
      length += bytesRead;
      if (bytesRead === 0 || length === head.length) return head.subarray(0, length);
    }
  } finally {
    await file.close();
  }
}

/** Whether a file went between the listing and the reading; a link that leads nowhere did not. */
async function wasRemoved(path: string, cause: unknown): Promise<boolean> {
  if (errnoOf(cause) !== 'ENOENT') return false;
  return lstat(path).then(
    () => false,
    (error) => errnoOf(error) === 'ENOENT',
  );
}

export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}

export function unreadable(path: string, cause: unknown): MeshError {
  return new MeshError('MESH_NET_FILE_UNREADABLE', `${path} cannot be read: ${MeshError.from(cause).message}`, {
    operation: 'read network file',
    object: path,
    rule: 'Every network file is a regular file that root can read.',
    remedy: 'Correct the file or its permissions, or remove it',
    cause,
  });
}
