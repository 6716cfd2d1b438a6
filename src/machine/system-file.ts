/** Small files in which the system states a fact about itself. */
import { closeSync, openSync, readSync } from 'node:fs';
import { MeshError } from '../model/error.ts';

/** The kernel command line is the longest of them: at most 4096 bytes (COMMAND_LINE_SIZE of most architectures). */
const SYSTEM_FILE_MAX_BYTES = 4096;

/**
 * The first 4096 bytes of the file, without white space around them; undefined when there is no such file.
 * @throws MESH_MACHINE_UNREADABLE when it is there and cannot be read
 */
export function readSystemFile(path: string): string | undefined {
  try {
    const file = openSync(path, 'r');
    try {
      const bytes = Buffer.alloc(SYSTEM_FILE_MAX_BYTES);
      return bytes.toString('utf8', 0, readSync(file, bytes)).trim();
    } finally {
      closeSync(file);
    }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new MeshError('MESH_MACHINE_UNREADABLE', `${path} cannot be read: ${code ?? String(error)}`, {
      operation: 'read',
      object: path,
      rule: 'What is there and cannot be read is never passed over: the machine would get another id.',
      remedy: 'Run it as root.',
      cause: error,
    });
  }
}
