/** Reads `.conf` files from a disk that may hold anything under their names. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { MeshError } from '../../model/error.ts';
import { CONF_FILE_MAX_BYTES } from './conf-file.ts';

/**
 * The bytes of the file, or of one that is too large no more than shows that it is.
 * @throws an error of the file system, or a plain one when it is not a regular file
 */
export async function readConfBytes(path: string): Promise<Uint8Array> {
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

/** `ENOENT`, `EACCES` … */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}

export function unreadable(path: string, cause: unknown): MeshError {
  return new MeshError('MESH_CONF_UNREADABLE', `${path} cannot be read: ${MeshError.from(cause).message}`, {
    operation: 'read file',
    object: path,
    remedy: 'Correct the file or its permissions, or remove it',
    cause,
  });
}
