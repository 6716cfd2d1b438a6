/** Reads `.conf` files safely: the path may lead to a pipe, a device or a huge file. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { MeshError } from '../../model/error.ts';
import { pathWord, systemWords } from '../system-error.ts';
import { CONF_FILE_MAX_BYTES } from './conf-file.ts';

/**
 * The bytes of a file, at most CONF_FILE_MAX_BYTES + 1: one byte more than allowed shows that the file is too large.
 * @throws an error of the file system, or a plain Error when the path is not a regular file
 */
export async function readConfBytes(path: string): Promise<Uint8Array> {
  // Without O_NONBLOCK, opening a named pipe would wait for a writer.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!(await file.stat()).isFile()) throw new Error('not a regular file');
    const head = Buffer.allocUnsafe(CONF_FILE_MAX_BYTES + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await file.read(head, length, head.length - length);
      length += bytesRead;
      if (bytesRead === 0 || length === head.length) return new Uint8Array(head.subarray(0, length));
    }
  } finally {
    await file.close();
  }
}

/** The name of a system error, such as `ENOENT`; undefined for any other value. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}

/** MESH_CONF_UNREADABLE for a file or directory. */
export function unreadable(path: string, cause: unknown): MeshError {
  return new MeshError('MESH_CONF_UNREADABLE', `${path} cannot be read: ${systemWords(cause)}`, {
    operation: 'read file',
    object: path,
    remedy: remedyFor(path, errnoOf(cause)),
    cause,
  });
}

function remedyFor(path: string, errno: string | undefined): string {
  switch (errno) {
    case 'EACCES':
      return `Give it to root: chown root ${pathWord(path)}. The services read only what root may read without further rights`;
    case 'ENOENT':
      return `Look where the symbolic link ${path} leads, or remove it`;
    default:
      return 'Put a plain file of text there, or remove what is there';
  }
}
